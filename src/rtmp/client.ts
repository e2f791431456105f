import type { Socket } from 'node:net'
import type { AmfValue } from '../container/flv/amf0.ts'
import { writeAmf0Values } from '../container/flv/amf0.ts'
import type { Block } from '../media/block.ts'
import { MisuseError } from '../media/errors.ts'
import { StreamSource } from './byte-source.ts'
import { ownCapabilities } from './capabilities.ts'
import { chunkMessage } from './chunk-writer.ts'
import { ClientCalls } from './client-calls.ts'
import { type ClientTls, openSocket } from './client-socket.ts'
import { type Command, textMember } from './command.ts'
import { inTime } from './deadline.ts'
import { RtmpClosedError, RtmpRejectedError, RtmpTimeoutError, StreamNotFoundError } from './errors.ts'
import type { PublishEnd, RtmpPublishSink } from './handlers.ts'
import { ClientHandshake } from './handshake.ts'
import { type MessageHandler, MessageLink } from './message-link.ts'
import { type Appetite, type PacedConsumer, ReadPacer } from './read-pacer.ts'
import { splitQuery } from './stream-name.ts'
import { parseRtmpUrl, type RtmpAddress } from './url.ts'
import { CHUNK_STREAM, MAX_MESSAGE_BYTES, MESSAGE, OWN_CHUNK_SIZE, OWN_WINDOW_BYTES, USER_CONTROL } from './wire.ts'

/** Media that a client's messages under way may take, bytes. */
const MAX_PENDING_BYTES = 32 * 1024 * 1024
/** What a client says it would buffer, ms: servers pace stored media by it. */
const BUFFER_LENGTH_MS = 3000
/** What sending the rest may take at the end, ms. */
const CLOSING_MS = 1000
/** Unsent bytes above which `send` says to wait. */
const HIGH_WATER_BYTES = 1024 * 1024

/** How a client connects. */
export interface RtmpClientOptions {
  /** Breaks off whatever is going on. */
  readonly signal?: AbortSignal
  /** For each step that waits for the server, ms; 10 000 unless given. */
  readonly timeoutMs?: number
  readonly tls?: ClientTls
}

/** The client's side of RTMP: plays one remote stream, or publishes one. */
export class RtmpClient implements MessageHandler, PacedConsumer {
  readonly address: RtmpAddress
  readonly #socket: Socket
  readonly #timeoutMs: number
  readonly #signal: AbortSignal | undefined
  readonly #link: MessageLink
  readonly #calls: ClientCalls
  readonly #closed = Promise.withResolvers<Error | undefined>()
  readonly #shaken = Promise.withResolvers<void>()
  #handshake: ClientHandshake | undefined
  #messageStreamId = 0
  #sink: RtmpPublishSink | undefined
  #publishing = false
  #over = false
  /** Ended as it should, by either side; the connection may close without that being an error. */
  #finished = false

  private constructor(address: RtmpAddress, socket: Socket, options: RtmpClientOptions) {
    this.address = address
    this.#socket = socket
    this.#timeoutMs = options.timeoutMs ?? 10_000
    this.#signal = options.signal
    this.#link = new MessageLink(this, (bytes) => this.#write(bytes), MAX_MESSAGE_BYTES)
    this.#calls = new ClientCalls(this.#link)
    this.#handshake = new ClientHandshake((bytes) => this.#write(bytes))
    const reader = new ReadPacer(0).reader(this)
    reader.attach(new StreamSource(socket, reader))
    options.signal?.addEventListener('abort', this.#abort)
  }

  /**
   * Connects to the server of an `rtmp://` or `rtmps://` URL, up to an open message stream. `play` or `publish` next.
   * @throws RtmpUrlError, RtmpConnectError, RtmpTimeoutError, RtmpRejectedError, RtmpClosedError, MalformedError
   */
  static async connect(url: string, options: RtmpClientOptions = {}): Promise<RtmpClient> {
    const address = parseRtmpUrl(url)
    const timeoutMs = options.timeoutMs ?? 10_000
    const deadline = AbortSignal.timeout(timeoutMs)
    const signal = options.signal === undefined ? deadline : AbortSignal.any([options.signal, deadline])
    let socket: Socket
    try {
      socket = await openSocket(address, options.tls ?? {}, signal)
    } catch (error) {
      if (deadline.aborted && options.signal?.aborted !== true) throw new RtmpTimeoutError(hostOf(address), timeoutMs)
      throw error
    }
    const client = new RtmpClient(address, socket, options)
    try {
      await client.#open()
    } catch (error) {
      socket.destroy()
      throw error
    }
    return client
  }

  /** Resolves when the connection is over, with the error that ended it, if one did. Never rejects. */
  get closed(): Promise<Error | undefined> {
    return this.#closed.promise
  }
  /** Sent, and not yet taken by the system. */
  get bufferedBytes(): number {
    return this.#socket.writableLength
  }
  /** All that came since the handshake. */
  get receivedBytes(): number {
    return this.#link.receivedBytes
  }

  /**
   * Plays the stream of the URL into `sink`, until the server says that it is over (`finished`), the connection breaks
   * (`lost`), or `close` is called (`shutdown`). Resolves when play has begun.
   * @throws StreamNotFoundError when nobody publishes it, else as `connect`
   */
  async play(sink: RtmpPublishSink): Promise<void> {
    this.#sink = sink
    const started = this.#calls.awaitStatus('play', 'NetStream.Play.Start')
    this.#calls.tell(this.#messageStreamId, 'play', null, this.address.streamName, -2000) // live, else stored: §7.2.2.1
    this.#link.sendUserControl(USER_CONTROL.SET_BUFFER_LENGTH, this.#messageStreamId, BUFFER_LENGTH_MS)
    try {
      await this.#inTime('play', started)
    } catch (error) {
      this.#sink = undefined
      this.#socket.destroy()
      if (error instanceof RtmpRejectedError && error.status === 'NetStream.Play.StreamNotFound') {
        throw new StreamNotFoundError(this.address.app, splitQuery(this.address.streamName).name)
      }
      throw error
    }
  }

  /** Publishes under the URL's name; `send` next. @throws as `connect` */
  async publish(): Promise<void> {
    this.#calls.tell(0, 'releaseStream', null, this.address.streamName)
    this.#calls.tell(0, 'FCPublish', null, this.address.streamName)
    const started = this.#calls.awaitStatus('publish', 'NetStream.Publish.Start')
    this.#calls.tell(this.#messageStreamId, 'publish', null, this.address.streamName, 'live')
    await this.#inTime('publish', started)
    this.#publishing = true
  }

  /** Sends the body of an FLV audio (8) or video (9) tag. False: wait for `drained` before more. Copies `payload`. */
  send(type: 8 | 9, timestampMs: number, payload: Uint8Array): boolean {
    return this.#sendMessage(type === 8 ? CHUNK_STREAM.AUDIO : CHUNK_STREAM.VIDEO, type, timestampMs, payload)
  }

  /** Sends a data message, such as `['@setDataFrame', 'onMetaData', {…}]`. */
  sendData(timestampMs: number, values: readonly AmfValue[]): boolean {
    return this.#sendMessage(CHUNK_STREAM.DATA, MESSAGE.DATA_AMF0, timestampMs, writeAmf0Values(values))
  }

  /** Resolves when there is room again for `send`, or the connection is over. */
  async drained(): Promise<void> {
    if (!this.#socket.writableNeedDrain || this.#over) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#socket.once('drain', resolve)
    await Promise.race([promise, this.#closed.promise])
    this.#socket.off('drain', resolve)
  }

  /** Says goodbye, sends the rest, closes. Idempotent. */
  async close(): Promise<void> {
    if (!this.#over) {
      if (this.#publishing) this.#calls.tell(0, 'FCUnpublish', null, this.address.streamName)
      if (this.#messageStreamId > 0) this.#calls.tell(0, 'deleteStream', null, this.#messageStreamId)
      this.#endSink('shutdown')
      this.#socket.end()
      const timer = setTimeout(() => this.#socket.destroy(), CLOSING_MS)
      this.#socket.once('close', () => clearTimeout(timer))
    }
    await this.#closed.promise
  }

  // PacedConsumer, from the socket

  get appetite(): Appetite {
    if (this.#sink === undefined) return 'now'
    return this.#sink.held ? 'nothing' : 'now'
  }

  bytes(bytes: Buffer, length: number): void {
    if (this.#over) return
    try {
      const from = this.#handshake === undefined ? 0 : this.#shakeHands(this.#handshake, bytes, length)
      this.#link.receive(bytes, from, length)
      this.#sink?.flush()
    } catch (error) {
      this.#finish(error, 'lost')
    }
  }

  ended(error: Error | undefined): void {
    this.#finish(error ?? new RtmpClosedError(hostOf(this.address)), 'lost')
  }

  // MessageHandler, from the link

  wants(): boolean {
    return this.#sink !== undefined
  }

  media(type: 8 | 9, timestampMs: number, _messageStreamId: number, payload: Uint8Array, block: Block): void {
    this.#calls.statusReached() // some servers begin without a word
    this.#sink?.media(type, timestampMs, payload, block)
  }

  data(timestampMs: number, _messageStreamId: number, values: AmfValue[]): void {
    this.#sink?.data(timestampMs, values)
  }

  userControl(event: number, value: number): void {
    if (event === USER_CONTROL.STREAM_EOF && value === this.#messageStreamId) this.#endSink('finished')
  }

  command(_messageStreamId: number, command: Command): void {
    if (this.#calls.take(command)) return
    if (command.name === 'onStatus' && PLAY_IS_OVER.has(textMember(command.args[1], 'code'))) this.#endSink('finished')
  }

  async #open(): Promise<void> {
    this.#handshake?.start()
    await this.#inTime('handshake', this.#shaken.promise)
    this.#link.setChunkSize(OWN_CHUNK_SIZE)
    this.#link.control(MESSAGE.WINDOW_ACKNOWLEDGEMENT_SIZE, OWN_WINDOW_BYTES)
    this.#link.allowPending(MAX_PENDING_BYTES)
    const { app, tcUrl } = this.address
    await this.#inTime(
      'connect',
      this.#calls.call('connect', {
        app,
        type: 'nonprivate',
        flashVer: 'LNX 9,0,124,2',
        tcUrl,
        fpad: false,
        capabilities: 15,
        audioCodecs: 0x0fff,
        videoCodecs: 0x00ff,
        videoFunction: 1,
        ...ownCapabilities(),
      }),
    )
    const created = await this.#inTime('createStream', this.#calls.call('createStream', null))
    this.#messageStreamId = typeof created[1] === 'number' ? created[1] : 1
  }

  #shakeHands(handshake: ClientHandshake, bytes: Buffer, length: number): number {
    const to = handshake.receive(bytes, 0, length)
    if (handshake.done) {
      this.#handshake = undefined
      this.#shaken.resolve()
    }
    return to
  }

  #inTime<T>(what: string, work: Promise<T>): Promise<T> {
    return inTime(`${what} at ${hostOf(this.address)}`, this.#timeoutMs, work)
  }

  #sendMessage(chunkStreamId: number, type: number, timestampMs: number, payload: Uint8Array): boolean {
    if (!this.#publishing) throw new MisuseError('RTMP client: send before publish')
    const header = { chunkStreamId, type, timestampMs, messageStreamId: this.#messageStreamId }
    this.#write(chunkMessage(OWN_CHUNK_SIZE, header, payload))
    return this.#socket.writableLength < HIGH_WATER_BYTES
  }

  #write(bytes: Uint8Array): void {
    if (!this.#socket.destroyed && !this.#socket.writableEnded) this.#socket.write(bytes)
  }

  readonly #abort = (): void => {
    this.#finish(this.#signal?.reason, 'shutdown')
  }

  #endSink(reason: PublishEnd): void {
    if (reason !== 'lost') this.#finished = true
    const sink = this.#sink
    this.#sink = undefined
    sink?.end(reason)
  }

  #finish(error: unknown, reason: PublishEnd): void {
    if (this.#over) return
    this.#over = true
    this.#signal?.removeEventListener('abort', this.#abort)
    this.#socket.destroy()
    const failure = error instanceof Error ? error : new RtmpClosedError(hostOf(this.address))
    this.#shaken.reject(failure)
    this.#shaken.promise.catch(() => undefined)
    this.#calls.fail(failure)
    if (this.#sink !== undefined) this.#endSink(reason)
    this.#link.close()
    this.#closed.resolve(this.#finished ? undefined : failure)
  }
}

const PLAY_IS_OVER = new Set(['NetStream.Play.UnpublishNotify', 'NetStream.Play.Stop', 'NetStream.Play.Complete'])

function hostOf(address: RtmpAddress): string {
  return `${address.host}:${address.port}`
}
