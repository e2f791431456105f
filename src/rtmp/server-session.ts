import type { AmfValue } from '../container/flv/amf0.ts'
import type { Block } from '../media/block.ts'
import { MalformedError } from '../media/errors.ts'
import { answeredCapabilities, takesMultitrack } from './capabilities.ts'
import { type Command, member, printable, textMember } from './command.ts'
import type { PublishEnd, RtmpHandlers } from './handlers.ts'
import { type MessageHandler, MessageLink } from './message-link.ts'
import { ServerStreams } from './server-streams.ts'
import type { SessionHost } from './session-host.ts'
import { explain, information } from './status.ts'
import { appName } from './stream-name.ts'
import { MESSAGE, OWN_WINDOW_BYTES } from './wire.ts'

/** Limit type of SetPeerBandwidth, §5.4.5. */
const DYNAMIC_LIMIT = 2

/** Settings of all sessions of a server. */
export interface SessionOptions {
  readonly chunkSize: number
  readonly maxMessageBytes: number
  readonly maxPendingBytes: number
}

/**
 * The server's side of one connection, from the first chunk on: connecting → connected, then streams come and go.
 * Commands are carried out one by one, in their order (§7.2).
 */
export class ServerSession implements MessageHandler {
  readonly link: MessageLink
  readonly streams: ServerStreams
  readonly #host: SessionHost
  readonly #options: SessionOptions
  #connected = false
  /** connect.flashVer. */
  agent = ''

  constructor(host: SessionHost, handlers: RtmpHandlers, options: SessionOptions) {
    this.#host = host
    this.#options = options
    this.link = new MessageLink(this, (bytes) => host.gather(bytes), options.maxMessageBytes)
    this.streams = new ServerStreams(this.link, host, handlers, options.maxPendingBytes)
  }

  get connected(): boolean {
    return this.#connected
  }

  /** Ends all streams. Idempotent. */
  end(reason: PublishEnd): void {
    this.streams.endAll(reason)
    this.link.close()
  }

  // MessageHandler

  wants(messageStreamId: number): boolean {
    return this.streams.publisher(messageStreamId) !== undefined
  }

  media(type: 8 | 9, timestampMs: number, messageStreamId: number, payload: Uint8Array, block: Block): void {
    this.streams.publisher(messageStreamId)?.media(type, timestampMs, payload, block)
  }

  data(timestampMs: number, messageStreamId: number, values: AmfValue[]): void {
    this.streams.publisher(messageStreamId)?.data(timestampMs, values)
  }

  userControl(): void {
    // buffer lengths and the like: nothing of it changes what is sent
  }

  command(messageStreamId: number, command: Command): void {
    if (!this.#connected) {
      if (command.name !== 'connect') {
        throw new MalformedError('RTMP command', `${printable(command.name)} before connect`)
      }
      this.#connect(command)
      return
    }
    const { name, args } = command
    switch (name) {
      case 'connect':
        throw new MalformedError('RTMP command', 'a second connect')
      case 'createStream':
        this.#createStream(command)
        return
      case 'deleteStream':
        if (typeof args[1] === 'number') this.streams.remove(args[1])
        return
      case 'FCPublish':
      case 'releaseStream':
      case '_checkbw':
        this.#result(command, undefined)
        return
      case 'FCUnpublish':
        this.#fcUnpublish(command)
        return
      case 'FCSubscribe':
        this.#fcSubscribe(command)
        return
      case 'getStreamLength': // all streams are live
        this.#result(command, 0)
        return
      case '_result':
      case '_error':
      case 'onStatus':
        return
      default:
        if (!this.streams.command(messageStreamId, command)) this.#unknown(command)
    }
  }

  #connect(command: Command): void {
    const object = command.args[0]
    this.streams.app = appName(textMember(object, 'app'))
    this.streams.places = [textMember(object, 'app'), textMember(object, 'tcUrl')]
    this.streams.multitrack = takesMultitrack(object)
    this.agent = textMember(object, 'flashVer').slice(0, 256)
    this.#connected = true
    this.link.control(MESSAGE.WINDOW_ACKNOWLEDGEMENT_SIZE, OWN_WINDOW_BYTES)
    this.link.control(MESSAGE.SET_PEER_BANDWIDTH, OWN_WINDOW_BYTES, DYNAMIC_LIMIT)
    this.link.setChunkSize(this.#options.chunkSize)
    const enhanced = answeredCapabilities(object)
    const objectEncoding = member(object, 'objectEncoding') === 3 ? 3 : 0
    const properties = { fmsVer: 'FMS/3,5,7,7009', capabilities: 31, mode: 1, ...enhanced }
    const info = {
      ...information('status', 'NetConnection.Connect.Success', 'Connection succeeded.'),
      objectEncoding,
      ...enhanced,
    }
    this.link.sendCommand(0, { name: '_result', transactionId: command.transactionId, args: [properties, info] })
  }

  #createStream(command: Command): void {
    let id: number
    try {
      id = this.streams.create()
    } catch (error) {
      this.#error(command, explain(error))
      return
    }
    this.#result(command, id)
  }

  #fcUnpublish(command: Command): void {
    this.#result(command, undefined)
    if (typeof command.args[1] === 'string') this.streams.unpublish(command.args[1])
  }

  #fcSubscribe(command: Command): void {
    const info = information('status', 'NetStream.Play.Start', `Subscribed to ${printable(String(command.args[1]))}.`)
    this.link.sendCommand(0, { name: 'onFCSubscribe', transactionId: 0, args: [null, info] })
  }

  #unknown(command: Command): void {
    this.#host.logger.debug({ command: printable(command.name) }, 'unknown RTMP command')
    this.#error(command, `${printable(command.name)} is not known here.`)
  }

  #result(command: Command, value: AmfValue): void {
    if (command.transactionId === 0) return // no answer awaited, §7.2.1.2
    this.link.sendCommand(0, { name: '_result', transactionId: command.transactionId, args: [null, value] })
  }

  #error(command: Command, description: string): void {
    if (command.transactionId === 0) return
    const info = information('error', 'NetConnection.Call.Failed', description)
    this.link.sendCommand(0, { name: '_error', transactionId: command.transactionId, args: [null, info] })
  }
}
