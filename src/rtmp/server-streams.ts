import type { AmfValue } from '../container/flv/amf0.ts'
import { LimitError, TapedeckError } from '../media/errors.ts'
import { type Command, printable } from './command.ts'
import { inTime } from './deadline.ts'
import type { PublishEnd, RtmpHandlers, RtmpPlaySource, RtmpPublishSink, StreamRequest } from './handlers.ts'
import type { MessageLink } from './message-link.ts'
import { PlayerOutput } from './player-output.ts'
import type { SessionHost } from './session-host.ts'
import { explain, information, playRefusal, publishRefusal } from './status.ts'
import { queryOf, splitQuery } from './stream-name.ts'
import { USER_CONTROL } from './wire.ts'

/** Message streams of one connection; peers use one. */
const MAX_STREAMS = 16
/** How long the handlers may think about a publish or play. */
const HANDLER_TIMEOUT_MS = 30_000

/** What happens on one message stream. */
interface MessageStream {
  readonly id: number
  /** As the peer named it, with its query. */
  name: string
  sink: RtmpPublishSink | undefined
  source: RtmpPlaySource | undefined
  output: PlayerOutput | undefined
}

/** The message streams of one connection to a server: what is published and played on them (§7.2.2). */
export class ServerStreams {
  readonly #link: MessageLink
  readonly #host: SessionHost
  readonly #handlers: RtmpHandlers
  readonly #maxPendingBytes: number
  readonly #streams = new Map<number, MessageStream>()
  /** The few that publish; looked through for every message. */
  #publishing: MessageStream[] = []
  #lastId = 0
  #ended: PublishEnd | undefined
  /** connect.app, cleaned. */
  app = ''
  /** connect.app and tcUrl as sent: a query may be there. */
  places: readonly [string, string] = ['', '']
  /** The peer takes multitrack messages. */
  multitrack = false
  /** The peer has been sent media, which it may still have to read. */
  hasPlayed = false

  /** `maxPendingBytes`: of media under way, once somebody publishes. */
  constructor(link: MessageLink, host: SessionHost, handlers: RtmpHandlers, maxPendingBytes: number) {
    this.#maxPendingBytes = maxPendingBytes
    this.#link = link
    this.#host = host
    this.#handlers = handlers
  }

  get publishing(): boolean {
    return this.#publishing.length > 0
  }
  get playing(): boolean {
    for (const stream of this.#streams.values()) if (stream.source !== undefined) return true
    return false
  }
  /** Some sink wants its publisher held back. */
  get held(): boolean {
    for (const stream of this.#publishing) if (stream.sink?.held) return true
    return false
  }
  /** Somebody watches what is published here. */
  get live(): boolean {
    for (const stream of this.#publishing) if (stream.sink?.live) return true
    return false
  }

  /** Who takes what is published on this message stream. Stream 0 belongs to nobody, so the only publisher gets it. */
  publisher(messageStreamId: number): RtmpPublishSink | undefined {
    const publishing = this.#publishing
    for (let i = 0; i < publishing.length; i++) if (publishing[i].id === messageStreamId) return publishing[i].sink
    return messageStreamId === 0 && publishing.length === 1 ? publishing[0].sink : undefined
  }

  /** One read is through. */
  flush(): void {
    for (const stream of this.#publishing) stream.sink?.flush()
  }

  /** A new message stream's id. @throws LimitError */
  create(): number {
    if (this.#streams.size >= MAX_STREAMS) {
      throw new LimitError('message streams of a connection', { limit: MAX_STREAMS })
    }
    const id = ++this.#lastId
    this.#streams.set(id, { id, name: '', sink: undefined, source: undefined, output: undefined })
    return id
  }

  /** deleteStream, §7.2.2.3. */
  remove(id: number): void {
    const stream = this.#streams.get(id)
    if (stream === undefined) return
    this.#stop(stream, 'finished')
    this.#streams.delete(id)
  }

  /** FCUnpublish names its stream instead of numbering it. */
  unpublish(name: string): void {
    const bare = splitQuery(name).name
    for (const stream of [...this.#publishing]) {
      if (splitQuery(stream.name).name !== bare) continue
      this.#stop(stream, 'finished')
      this.#fcStatus('onFCUnpublish', 'NetStream.Unpublish.Success', bare)
      this.#status(stream, 'status', 'NetStream.Unpublish.Success', `${printable(bare)} is now unpublished.`)
    }
  }

  /** Tells publishers and players why the connection closes. */
  refuseAll(error: unknown): void {
    for (const stream of this.#streams.values()) {
      if (stream.sink !== undefined) this.#status(stream, 'error', publishRefusal(error), explain(error))
      else if (stream.source !== undefined) this.#status(stream, 'error', 'NetStream.Play.Failed', explain(error))
    }
  }

  /** Everything ends. Idempotent; what is still being asked for ends when it comes. */
  endAll(reason: PublishEnd): void {
    if (this.#ended !== undefined) return
    this.#ended = reason
    for (const stream of this.#streams.values()) this.#stop(stream, reason)
    this.#streams.clear()
  }

  /** Carries out a command of a message stream. False when it is none. */
  command(messageStreamId: number, command: Command): boolean {
    const stream = this.#streams.get(messageStreamId)
    switch (command.name) {
      case 'publish':
        this.#host.suspend(this.#publish(stream ?? this.#stray(), textOf(command.args[1])))
        return true
      case 'play':
        this.#host.suspend(this.#play(stream ?? this.#stray(), textOf(command.args[1])))
        return true
      case 'play2':
        this.#refuse(stream ?? this.#stray(), 'NetStream.Play.Failed', 'switching of streams is not possible here')
        return true
      case 'closeStream':
        if (stream !== undefined) this.#stop(stream, 'finished')
        return true
      case 'pause':
      case 'pauseRaw':
        this.#pause(stream, command.args[1] === true)
        return true
      case 'seek':
        if (stream) this.#status(stream, 'error', 'NetStream.Seek.Failed', 'A live stream cannot be sought in.')
        return true
      case 'receiveAudio':
      case 'receiveVideo': // batches go to all players alike
        return true
      default:
        return false
    }
  }

  /** Some encoders never create a stream, or forget its number. */
  #stray(): MessageStream {
    for (const stream of this.#streams.values()) {
      if (stream.sink === undefined && stream.source === undefined) return stream
    }
    const id = this.create()
    return this.#streams.get(id) ?? { id, name: '', sink: undefined, source: undefined, output: undefined }
  }

  async #publish(stream: MessageStream, name: string): Promise<void> {
    if (stream.sink !== undefined || stream.source !== undefined) {
      this.#status(stream, 'error', 'NetStream.Publish.BadName', 'This message stream is in use.')
      return
    }
    stream.name = name
    let sink: RtmpPublishSink
    try {
      const late = (tooLate: RtmpPublishSink) => tooLate.end('kicked')
      sink = await inTime('publish', HANDLER_TIMEOUT_MS, this.#handlers.publish(this.#request(name)), late)
    } catch (error) {
      this.#noteFailure(error, 'publish')
      this.#refuse(stream, publishRefusal(error), explain(error))
      return
    }
    if (this.#ended !== undefined) {
      sink.end(this.#ended)
      return
    }
    stream.sink = sink
    this.#link.allowPending(this.#maxPendingBytes)
    this.#publishing = [...this.#publishing, stream]
    const bare = splitQuery(name).name
    this.#link.sendUserControl(USER_CONTROL.STREAM_BEGIN, stream.id)
    this.#fcStatus('onFCPublish', 'NetStream.Publish.Start', bare)
    this.#status(stream, 'status', 'NetStream.Publish.Start', `${printable(bare)} is now published.`)
  }

  async #play(stream: MessageStream, name: string): Promise<void> {
    if (stream.sink !== undefined) {
      this.#status(stream, 'error', 'NetStream.Play.Failed', 'This message stream is in use.')
      return
    }
    this.#stop(stream, 'finished') // a second play on a stream replaces the first, §7.2.2.1
    stream.name = name
    const output = new PlayerOutput(stream.id, printable(splitQuery(name).name), this.#link, this.#host)
    stream.output = output
    let source: RtmpPlaySource
    try {
      const late = (tooLate: RtmpPlaySource) => tooLate.end()
      source = await inTime('play', HANDLER_TIMEOUT_MS, this.#handlers.play(this.#request(name), output), late)
    } catch (error) {
      this.#noteFailure(error, 'play')
      this.#refuse(stream, playRefusal(error), explain(error))
      return
    }
    if (this.#ended !== undefined) {
      source.end()
      return
    }
    stream.source = source
    this.hasPlayed = true
    output.start()
  }

  #pause(stream: MessageStream | undefined, paused: boolean): void {
    if (stream?.source === undefined) return
    stream.source.pause(paused)
    const [code, word] = paused ? ['NetStream.Pause.Notify', 'Paused'] : ['NetStream.Unpause.Notify', 'Resumed']
    this.#status(stream, 'status', code, `${word} ${printable(stream.name)}.`)
  }

  #stop(stream: MessageStream, reason: PublishEnd): void {
    const { sink, source, output } = stream
    stream.sink = undefined
    stream.source = undefined
    stream.output = undefined
    output?.close()
    source?.end()
    if (sink === undefined) return
    this.#publishing = this.#publishing.filter((other) => other !== stream)
    sink.end(reason)
  }

  #request(name: string): StreamRequest {
    return {
      peer: this.#host.peer,
      app: this.app,
      name: splitQuery(name).name,
      query: queryOf(name, ...this.places),
      multitrack: this.multitrack,
    }
  }

  #noteFailure(error: unknown, action: 'publish' | 'play'): void {
    const { peer, logger } = this.#host
    if (error instanceof TapedeckError) this.#host.refused(action, error)
    else logger.error({ peer: peer.address, err: error }, `${action} failed`)
  }

  #refuse(stream: MessageStream, code: string, description: string): void {
    this.#status(stream, 'error', code, description)
    this.#host.disconnect()
  }

  #status(stream: MessageStream, level: 'status' | 'error', code: string, description: string): void {
    const info = { ...information(level, code, description), details: printable(splitQuery(stream.name).name) }
    this.#send(stream.id, 'onStatus', info)
  }

  /** What Adobe's encoder waits for beside the onStatus. */
  #fcStatus(command: string, code: string, name: string): void {
    this.#send(0, command, information('status', code, printable(name)))
  }

  #send(messageStreamId: number, name: string, info: AmfValue): void {
    this.#link.sendCommand(messageStreamId, { name, transactionId: 0, args: [null, info] })
  }
}

function textOf(value: AmfValue): string {
  return typeof value === 'string' ? value : ''
}
