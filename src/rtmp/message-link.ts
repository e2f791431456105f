import type { AmfValue } from '../container/flv/amf0.ts'
import type { Block } from '../media/block.ts'
import { MalformedError, TapedeckError } from '../media/errors.ts'
import { splitAggregate } from './aggregate.ts'
import { ChunkReader, type ChunkSink } from './chunk-reader.ts'
import { chunkMessage } from './chunk-writer.ts'
import { type Command, parseCommand, parseData, writeCommand } from './command.ts'
import { CHUNK_STREAM, DEFAULT_CHUNK_SIZE, MESSAGE, OWN_WINDOW_BYTES, USER_CONTROL } from './wire.ts'

/** What a side does with the messages that it gets. */
export interface MessageHandler {
  /** Whether media or data of this message stream is of use. */
  wants(messageStreamId: number): boolean
  /** `payload` lies in `block` and is lent for the call. */
  media(type: 8 | 9, timestampMs: number, messageStreamId: number, payload: Uint8Array, block: Block): void
  data(timestampMs: number, messageStreamId: number, values: AmfValue[]): void
  command(messageStreamId: number, command: Command): void
  /** User control except pings, which are answered here. */
  userControl(event: number, value: number): void
}

/**
 * One RTMP connection after its handshake, either side of it: chunks in, messages out and back. Obeys the peer's chunk
 * size and windows, acknowledges, answers pings. Sends through `send`, whole messages only.
 */
export class MessageLink implements ChunkSink {
  readonly #handler: MessageHandler
  readonly #send: (bytes: Uint8Array) => void
  readonly #reader: ChunkReader
  #chunkSize = DEFAULT_CHUNK_SIZE
  #peerWindowBytes = OWN_WINDOW_BYTES
  #receivedBytes = 0
  #acknowledgedBytes = 0
  /** Data messages that were no AMF. */
  malformedData = 0

  constructor(handler: MessageHandler, send: (bytes: Uint8Array) => void, maxMessageBytes: number) {
    this.#handler = handler
    this.#send = send
    this.#reader = new ChunkReader(this, maxMessageBytes)
  }

  /** What our side has announced, bytes. */
  get chunkSize(): number {
    return this.#chunkSize
  }
  /** All chunks since the handshake. */
  get receivedBytes(): number {
    return this.#receivedBytes
  }

  /**
   * Returns how far it came: to the end, or less after `stop` was called by the handler.
   * @throws MalformedError, LimitError, and whatever the handler throws; then the connection is over
   */
  receive(bytes: Buffer, from: number, to: number): number {
    const end = this.#reader.read(bytes, from, to)
    this.#receivedBytes += end - from
    if (this.#receivedBytes - this.#acknowledgedBytes >= this.#peerWindowBytes) this.#acknowledge()
    return end
  }

  /** For the handler: `receive` takes nothing after the present message until `resume`. */
  stop(): void {
    this.#reader.stop()
  }
  resume(): void {
    this.#reader.resume()
  }
  /** Lets messages under way take this much memory, bytes. Media needs more than commands. */
  allowPending(bytes: number): void {
    this.#reader.maxPendingBytes = bytes
  }
  /** Lets go of all memory. Idempotent. */
  close(): void {
    this.#reader.close()
  }

  /** Our chunks are this long from now on, §5.4.1. */
  setChunkSize(bytes: number): void {
    this.control(MESSAGE.SET_CHUNK_SIZE, bytes)
    this.#chunkSize = bytes
  }

  /** A control message of one 32-bit value and perhaps a byte, §5.4. */
  control(type: number, value: number, limitType?: number): void {
    const payload = Buffer.alloc(limitType === undefined ? 4 : 5)
    payload.writeUInt32BE(value)
    if (limitType !== undefined) payload[4] = limitType
    this.#send(chunkMessage(this.#chunkSize, { chunkStreamId: CHUNK_STREAM.CONTROL, type }, payload))
  }

  /** §7.1.7. `extra` is the second value, which only SetBufferLength has. */
  sendUserControl(event: number, value: number, extra?: number): void {
    const payload = Buffer.alloc(extra === undefined ? 6 : 10)
    payload.writeUInt16BE(event)
    payload.writeUInt32BE(value >>> 0, 2)
    if (extra !== undefined) payload.writeUInt32BE(extra, 6)
    const header = { chunkStreamId: CHUNK_STREAM.CONTROL, type: MESSAGE.USER_CONTROL }
    this.#send(chunkMessage(this.#chunkSize, header, payload))
  }

  /** A call or an answer; on a message stream other than 0 it concerns that stream. */
  sendCommand(messageStreamId: number, command: Command): void {
    const chunkStreamId = messageStreamId === 0 ? CHUNK_STREAM.COMMAND : CHUNK_STREAM.STATUS
    const header = { chunkStreamId, type: MESSAGE.COMMAND_AMF0, messageStreamId }
    this.#send(chunkMessage(this.#chunkSize, header, writeCommand(command)))
  }

  // ChunkSink, for the reader

  wants(messageStreamId: number): boolean {
    return this.#handler.wants(messageStreamId)
  }

  media(type: number, timestampMs: number, messageStreamId: number, payload: Uint8Array, block: Block): void {
    if (type === MESSAGE.AUDIO || type === MESSAGE.VIDEO) {
      this.#handler.media(type, timestampMs, messageStreamId, payload, block)
      return
    }
    for (const part of splitAggregate(Buffer.from(payload.buffer, payload.byteOffset, payload.length), timestampMs)) {
      if (part.type === MESSAGE.AUDIO || part.type === MESSAGE.VIDEO) {
        this.#handler.media(part.type, part.timestampMs, messageStreamId, part.payload, block)
      } else if (part.type === MESSAGE.DATA_AMF0) {
        this.#data(part.timestampMs, messageStreamId, part.payload)
      }
    }
  }

  message(type: number, timestampMs: number, messageStreamId: number, payload: Buffer): void {
    switch (type) {
      case MESSAGE.COMMAND_AMF0:
      case MESSAGE.COMMAND_AMF3:
        this.#handler.command(messageStreamId, parseCommand(payload))
        return
      case MESSAGE.DATA_AMF0:
      case MESSAGE.DATA_AMF3:
        this.#data(timestampMs, messageStreamId, payload)
        return
      case MESSAGE.USER_CONTROL:
        this.#userControl(payload)
        return
      case MESSAGE.WINDOW_ACKNOWLEDGEMENT_SIZE:
        this.#peerWindowBytes = Math.max(1, controlValue(payload))
        return
      case MESSAGE.SET_PEER_BANDWIDTH: // §5.4.5: answered with our window where that differs
        if (controlValue(payload) !== OWN_WINDOW_BYTES)
          this.control(MESSAGE.WINDOW_ACKNOWLEDGEMENT_SIZE, controlValue(payload))
        return
      default: // acknowledgements, shared objects, what nobody knows
    }
  }

  #data(timestampMs: number, messageStreamId: number, payload: Uint8Array): void {
    let values: AmfValue[]
    try {
      values = parseData(payload)
    } catch (error) {
      if (!(error instanceof TapedeckError)) throw error
      this.malformedData++ // what an encoder tells about itself is no reason to end its recording
      return
    }
    if (values.length > 0) this.#handler.data(timestampMs, messageStreamId, values)
  }

  #userControl(payload: Buffer): void {
    if (payload.length < 6) return // events that nobody here knows may be shorter
    const event = payload.readUInt16BE(0)
    const value = payload.readUInt32BE(2)
    if (event === USER_CONTROL.PING_REQUEST) this.sendUserControl(USER_CONTROL.PING_RESPONSE, value)
    else this.#handler.userControl(event, value)
  }

  #acknowledge(): void {
    this.#acknowledgedBytes = this.#receivedBytes
    this.control(MESSAGE.ACKNOWLEDGEMENT, this.#receivedBytes % 2 ** 32)
  }
}

function controlValue(payload: Buffer): number {
  if (payload.length < 4) throw new MalformedError('RTMP control message', `of ${payload.length} bytes`)
  return payload.readUInt32BE(0)
}
