import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { z } from 'zod'
import type { UploadIngest, UploadOrigin } from '../../ingest/upload/upload-ingest.ts'
import type { Chunk, UploadStatus } from '../../ingest/upload/upload-session.ts'
import type { StreamAddress } from '../../live/stream.ts'
import { TapedeckError } from '../../media/errors.ts'
import type { Logger } from '../../media/ports.ts'
import type { Access } from '../access.ts'
import { answerError } from '../error-answer.ts'
import { readInput } from './input.ts'
import { ROUTES, type RouteAnswer } from './routes.ts'

/** Beyond the body of the largest chunk, bytes: what is larger is refused by the upload itself. */
const MAX_BODY_BYTES = 64 * 1024 * 1024
/** When to send again what is too much now, seconds. */
const RETRY_AFTER_S = 1
/** Of a stream's own errors, where they are not the usual ones. */
const STATUS: Readonly<Record<string, number>> = { TD_NAME_BUSY: 409, TD_LIMIT: 503 }

/** What uploads stand on. */
export interface UploadServices {
  readonly uploads: UploadIngest
  readonly access: Access
  readonly logger: Logger
}

type ChunkQuery = z.output<typeof ROUTES.uploadChunk.query>

/** `POST` and `GET …/chunks`: for whoever may publish under the name, by the same token as WHIP takes. */
export function uploadRoutes(scope: FastifyInstance, { uploads, access, logger }: UploadServices): void {
  const url = '/rooms/:room_id/participants/:participant_id/chunks'
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser('*', (_, body, done) => done(null, body)) // as it comes: chunks are written while they do
  scope.setErrorHandler((error, _, reply) => {
    if (error instanceof TapedeckError && error.code === 'TD_UPLOAD_BUSY') reply.header('retry-after', RETRY_AFTER_S)
    return answerError(error, reply, logger, STATUS)
  })
  const admit = async (request: FastifyRequest, token: string | undefined): Promise<StreamAddress> => {
    readInput({ params: ROUTES.uploadChunk.params }, request)
    const { room_id: room, participant_id: participant } = ROUTES.uploadChunk.params.parse(request.params)
    await access.authorizeStreamRequest('publish', { room, participant }, request, token)
    return { room, participant }
  }
  scope.route({
    method: 'POST',
    url,
    bodyLimit: MAX_BODY_BYTES,
    handler: async (request, reply) => {
      const address = await admit(request, tokenOf(request))
      readInput({ query: ROUTES.uploadChunk.query }, request)
      const query = ROUTES.uploadChunk.query.parse(request.query)
      const status = await uploads.accept(address, originOf(query, peerOf(request)), chunkOf(query, bodyOf(request)))
      return reply.send(uploadView(status))
    },
  })
  scope.get(url, async (request, reply) => {
    const address = await admit(request, tokenOf(request))
    readInput({ query: ROUTES.getUpload.query }, request)
    const { session } = ROUTES.getUpload.query.parse(request.query)
    return reply.send(uploadView(await uploads.status(address, session)))
  })
}

/** Whose chunk `query` says it is. */
export function originOf({ session, label, kind, start, sent }: Omit<ChunkQuery, 'token'>, peer: string): UploadOrigin {
  const ageMs = start === undefined || sent === undefined ? undefined : sent - start
  return { session, label: label ?? kind, peer, ageMs }
}

/** The chunk that `query` announces. */
export function chunkOf({ seq, sha256, final }: Omit<ChunkQuery, 'token'>, body: AsyncIterable<Uint8Array>): Chunk {
  return { seq, sha256, isFinal: final === 'true', body }
}

/** The status as JSON. */
export function uploadView({ session, state, nextSeq, early, problem }: UploadStatus): RouteAnswer<'uploadChunk'> {
  return { session, state, next_seq: nextSeq, early: [...early], problem: problem ?? null }
}

/** What is not taken of a body is read all the same: the answer would not get through otherwise, nor the next request behind it. */
async function* bodyOf({ body }: FastifyRequest): AsyncGenerator<Uint8Array> {
  if (!(body instanceof Readable)) return // none was sent
  try {
    for await (const piece of body.iterator({ destroyOnReturn: false })) if (piece instanceof Uint8Array) yield piece
  } finally {
    body.resume()
  }
}

/** A token of the query. */
export function tokenOf({ query }: FastifyRequest): string | undefined {
  const { token } = Object.fromEntries(typeof query === 'object' && query !== null ? Object.entries(query) : [])
  return typeof token === 'string' ? token : undefined
}

/** For people and logs. */
export function peerOf({ socket: { remoteAddress = '', remotePort } }: FastifyRequest): string {
  return `${remoteAddress.includes(':') ? `[${remoteAddress}]` : remoteAddress}:${remotePort ?? 0}`
}
