import type { WebSocket } from '@fastify/websocket'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { streamAddress } from '../live/address.ts'
import type { StreamAddress } from '../live/stream.ts'
import { MalformedError, TapedeckError } from '../media/errors.ts'
import type { Logger } from '../media/ports.ts'
import { CLOSE } from './event-message.ts'
import { ForbiddenError } from './permission.ts'
import { chunkQuery, participantParams } from './rest/requests.ts'
import { chunkOf, originOf, peerOf, tokenOf, type UploadServices, uploadView } from './rest/upload-routes.ts'

/** Largest message, bytes: a chunk of one megabyte, and what stands before it. */
export const MAX_UPLOAD_MESSAGE_BYTES = 1024 * 1024 + 4096
const MAX_SOCKETS = 1000
/** Of one participant: camera and screen. What waits of each is in memory. */
const MAX_SOCKETS_EACH = 2
/** Answers that nobody takes end a socket, bytes. */
const MAX_UNREAD_BYTES = 1024 * 1024
/** While more than this waits to be written, nothing is read from a socket, bytes. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024
const HEADER_LENGTH_BYTES = 4
/** What a message says of its chunk: as the query of the HTTP route does, numbers as numbers or text. */
const headerSchema = z.preprocess(inText, chunkQuery.omit({ token: true }))

/**
 * `GET …/participants/{participant_id}/chunks/socket`: chunks over a WebSocket, each a binary message: four bytes with the
 * length of a JSON header (big-endian), that header, and the bytes. Each is answered by a text message once it is on disk.
 */
export class UploadSocket {
  readonly #services: UploadServices
  readonly #logger: Logger
  /** Whose they are. */
  readonly #sockets = new Map<WebSocket, string>()

  constructor(services: UploadServices) {
    this.#services = services
    this.#logger = services.logger
  }

  /** Adds the route below each of `prefixes`; after the plugin for WebSockets. */
  mount(app: FastifyInstance, prefixes: readonly string[]): void {
    app.addHook('preClose', async () => {
      for (const socket of this.#sockets.keys()) socket.terminate()
    })
    app.register(async (scope) => {
      for (const prefix of prefixes) {
        const url = `${prefix}/rooms/:room_id/participants/:participant_id/chunks/socket`
        scope.get(url, { websocket: true }, (socket, request) => this.#open(socket, request))
      }
    })
  }

  #open(socket: WebSocket, request: FastifyRequest): void {
    if (this.#sockets.size >= MAX_SOCKETS) {
      socket.close(CLOSE.tryAgainLater, 'too many sockets, try again later')
      return
    }
    this.#sockets.set(socket, '')
    let taken = this.#admit(socket, request)
    let waitingBytes = 0
    socket.on('close', () => this.#sockets.delete(socket))
    socket.on('error', () => socket.terminate())
    socket.on('message', (data) => {
      const message = Buffer.isBuffer(data) ? data : Buffer.from([])
      waitingBytes += message.length
      if (waitingBytes > MAX_WAITING_BYTES) socket.pause()
      taken = taken.then(async (address) => {
        if (address !== undefined) socket.send(JSON.stringify(await this.#take(address, message, request)))
        if (socket.bufferedAmount > MAX_UNREAD_BYTES) socket.terminate()
        waitingBytes -= message.length
        if (waitingBytes <= MAX_WAITING_BYTES) socket.resume()
        return address
      })
      taken.catch((error: unknown) => this.#logger.error({ err: error }, 'an upload socket failed'))
    })
  }

  /** Undefined when it was turned away. */
  async #admit(socket: WebSocket, request: FastifyRequest): Promise<StreamAddress | undefined> {
    try {
      const { room_id, participant_id } = participantParams.parse(request.params)
      const address = streamAddress(room_id, participant_id)
      await this.#services.access.authorizeStreamRequest('publish', address, request, tokenOf(request))
      if (this.#claims(socket, address)) return address
      socket.close(CLOSE.tryAgainLater, 'this participant has as many sockets as may be')
      return undefined
    } catch (error) {
      const reason = error instanceof TapedeckError ? error.code : 'TD_BAD_REQUEST'
      socket.close(error instanceof ForbiddenError ? CLOSE.forbidden : CLOSE.unauthorized, reason)
      return undefined
    }
  }

  /** Whether one more of this participant may be. */
  #claims(socket: WebSocket, { room, participant }: StreamAddress): boolean {
    const owner = JSON.stringify([room, participant])
    const count = [...this.#sockets.values()].filter((each) => each === owner).length
    if (count >= MAX_SOCKETS_EACH) return false
    if (this.#sockets.has(socket)) this.#sockets.set(socket, owner)
    return true
  }

  async #take(address: StreamAddress, message: Buffer, request: FastifyRequest): Promise<object> {
    let seq: number | undefined
    try {
      const { header, bytes } = parseMessage(message)
      seq = header.seq
      const chunk = chunkOf(header, once(bytes))
      const status = await this.#services.uploads.accept(address, originOf(header, peerOf(request)), chunk)
      return { type: 'chunk', seq, ...uploadView(status) }
    } catch (error) {
      if (!(error instanceof TapedeckError)) this.#logger.error({ err: error }, 'a chunk could not be taken')
      const known = error instanceof TapedeckError ? error : undefined
      const code = known?.code ?? 'TD_INTERNAL'
      return { type: 'error', seq: seq ?? null, code, message: known?.message ?? 'this should not have happened' }
    }
  }
}

/** @throws MalformedError */
function parseMessage(message: Buffer): { readonly header: z.output<typeof headerSchema>; readonly bytes: Uint8Array } {
  const headerBytes = message.length < HEADER_LENGTH_BYTES ? message.length : message.readUInt32BE(0)
  const start = HEADER_LENGTH_BYTES + headerBytes
  if (start > message.length) throw new MalformedError('upload message', 'its header is longer than it', 0)
  const header = headerSchema.safeParse(readJson(message.toString('utf8', HEADER_LENGTH_BYTES, start)))
  if (!header.success) throw new MalformedError('upload message', z.prettifyError(header.error), HEADER_LENGTH_BYTES)
  return { header: header.data, bytes: message.subarray(start) }
}

/** Values as they stand in a query. */
function inText(header: unknown): unknown {
  if (typeof header !== 'object' || header === null) return header
  return Object.fromEntries(Object.entries(header).map(([name, value]) => [name, String(value)]))
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}
