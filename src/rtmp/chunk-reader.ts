import { Arena } from '../media/arena.ts'
import type { Block } from '../media/block.ts'
import { LimitError, MalformedError } from '../media/errors.ts'
import { ChunkStream, type Keep } from './chunk-stream.ts'
import { DEFAULT_CHUNK_SIZE, EXTENDED_TIMESTAMP, MAX_CHUNK_SIZE, MESSAGE } from './wire.ts'

/** Basic header of 3 bytes, message header of 11, extended timestamp of 4, §5.3.1. */
const MAX_HEADER_BYTES = 18
/** Bytes of message header after the basic header, by type, §5.3.1.2. */
const MESSAGE_HEADER_BYTES = [11, 7, 3, 0]
/** A command is some strings; connect with all its lists stays under 2 KB. */
const MAX_COMMAND_BYTES = 64 * 1024
/** Longer data messages (onMetaData and the like) are read over: no reason to end a recording. */
const MAX_DATA_BYTES = 1024 * 1024
/** Chunk streams of one connection; real peers use at most six. */
const MAX_CHUNK_STREAMS = 64

/** Where whole messages go. */
export interface ChunkSink {
  /** Whether media or data of this message stream is of use; asked when a message begins. The rest is read over. */
  wants(messageStreamId: number): boolean
  /** Audio (8), video (9) or an aggregate (22). `payload` lies in `block` and is lent for the call. */
  media(type: number, timestampMs: number, messageStreamId: number, payload: Uint8Array, block: Block): void
  /** Everything else except chunk size and abort, which the reader obeys itself. `payload` is good for the call only. */
  message(type: number, timestampMs: number, messageStreamId: number, payload: Buffer): void
}

/**
 * Puts chunks together to messages (RTMP 1.0 §5.3), from reads of any size. Media is copied once, from the read buffer
 * into an arena's block; what fits into one read and is no media is not copied at all.
 */
export class ChunkReader {
  readonly #sink: ChunkSink
  readonly #maxMessageBytes: number
  readonly #arena = new Arena()
  readonly #streams = new Map<number, ChunkStream>()
  #current: ChunkStream | undefined
  #chunkSize = DEFAULT_CHUNK_SIZE
  #chunkLeft = 0
  #pendingBytes = 0
  #partial: Buffer | undefined
  #partialBytes = 0
  #stopped = false
  /** Messages that a new header cut short; counted, not mourned: the peer began anew. */
  abandoned = 0

  /** Bound on all messages under way together, bytes. Enough for commands; raise it before media is wanted. */
  maxPendingBytes = 2 * MAX_COMMAND_BYTES

  constructor(sink: ChunkSink, maxMessageBytes: number) {
    this.#sink = sink
    this.#maxMessageBytes = maxMessageBytes
  }

  /** Payload of unfinished messages that room was made for, bytes. */
  get pendingBytes(): number {
    return this.#pendingBytes
  }

  /**
   * Takes `bytes` from `from` to `to` and returns how far it came: to the end, or less after `stop` was called by the sink.
   * @throws MalformedError, LimitError; the connection cannot go on afterwards
   */
  read(bytes: Buffer, from: number, to: number): number {
    let at = from
    while (at < to && !this.#stopped) {
      if (this.#chunkLeft > 0) at = this.#payload(bytes, at, to)
      else if (this.#partialBytes > 0) at = this.#completeHeader(bytes, at, to)
      else {
        const headerBytes = this.#header(bytes, at, to)
        if (headerBytes === 0) {
          this.#keepPartial(bytes, at, to)
          return to
        }
        at += headerBytes
      }
    }
    return at
  }

  /** For the sink: `read` returns after this message, and takes nothing until `resume`. */
  stop(): void {
    this.#stopped = true
  }
  resume(): void {
    this.#stopped = false
  }

  /** Lets go of all memory. Idempotent; nothing may be read afterwards. */
  close(): void {
    this.#stopped = true
    for (const stream of this.#streams.values()) this.#forget(stream)
    this.#arena.close()
  }

  /** Parses one chunk header; 0 when it is not all there, and then nothing has changed. */
  #header(bytes: Buffer, from: number, to: number): number {
    const format = bytes[from] >>> 6
    let id = bytes[from] & 0x3f
    let at = from + 1
    if (id < 2) {
      if (to - at < id + 1) return 0
      id = id === 0 ? 64 + bytes[at] : 64 + bytes[at] + bytes[at + 1] * 256 // §5.3.1.1
      at += bytes[from] & 1 ? 2 : 1
    }
    const current = this.#current
    const known = current !== undefined && current.id === id ? current : this.#streams.get(id)
    const end = format === 3 ? this.#repeat(known, id, bytes, at, to) : this.#fresh(known, id, format, bytes, at, to)
    return end === 0 ? 0 : end - from
  }

  /** Type 3, §5.3.1.2.4: goes on with a message, or begins one just like the last. Returns where the header ends, or 0. */
  #repeat(stream: ChunkStream | undefined, id: number, bytes: Buffer, from: number, to: number): number {
    if (stream === undefined) throw new MalformedError('RTMP chunk', `chunk stream ${id} begins without a header`)
    let at = from
    if (stream.extended) {
      if (to - at < 4) return 0
      // The standard was read both ways: not every peer repeats it. Payload that looks just like it does not happen.
      const value = bytes.readUInt32BE(at)
      if (value === stream.timestampField || value === stream.timestampMs) at += 4
    }
    if (!stream.busy) {
      stream.timestampMs = (stream.timestampMs + stream.timestampField) >>> 0
      this.#begin(stream)
    }
    this.#enter(stream)
    return at
  }

  /** Types 0, 1 and 2, §5.3.1.2.1 to §5.3.1.2.3. Returns where the header ends, or 0. */
  #fresh(known: ChunkStream | undefined, id: number, format: number, bytes: Buffer, from: number, to: number): number {
    let at = from + MESSAGE_HEADER_BYTES[format]
    if (to < at) return 0
    let field = bytes.readUIntBE(from, 3)
    const extended = field === EXTENDED_TIMESTAMP
    if (extended) {
      if (to - at < 4) return 0
      field = bytes.readUInt32BE(at)
      at += 4
    }
    const stream = known ?? this.#open(id, format)
    if (stream.busy) {
      this.abandoned++
      this.#forget(stream)
    }
    stream.extended = extended
    stream.timestampField = field
    stream.timestampMs = format === 0 ? field : (stream.timestampMs + field) >>> 0
    if (format < 2) {
      stream.lengthBytes = bytes.readUIntBE(from + 3, 3)
      stream.type = bytes[from + 6]
      if (format === 0) stream.messageStreamId = bytes.readUInt32LE(from + 7)
    }
    this.#begin(stream)
    this.#enter(stream)
    return at
  }

  #open(id: number, format: number): ChunkStream {
    // librtmp answers pings with type 1 on a chunk stream that it never used
    if (format === 2) throw new MalformedError('RTMP chunk', `chunk stream ${id} begins without a length`)
    if (this.#streams.size >= MAX_CHUNK_STREAMS) {
      throw new LimitError('RTMP chunk streams of a connection', { limit: MAX_CHUNK_STREAMS })
    }
    const stream = new ChunkStream(id)
    this.#streams.set(id, stream)
    return stream
  }

  /** A message begins: decides whether and where its payload is kept. */
  #begin(stream: ChunkStream): void {
    const length = stream.lengthBytes
    stream.keep = this.#keepOf(stream)
    stream.busy = true
    stream.got = 0
    if (stream.keep !== 'media') return
    this.#reserve(length)
    stream.block = this.#arena.reserve(length)
    stream.target = stream.block.bytes
    stream.targetOffset = this.#arena.start
  }

  #keepOf(stream: ChunkStream): Keep {
    const { type, lengthBytes } = stream
    if (lengthBytes > this.#maxMessageBytes) {
      throw new LimitError('RTMP message, bytes', { limit: this.#maxMessageBytes, asked: lengthBytes })
    }
    switch (type) {
      case MESSAGE.AUDIO:
      case MESSAGE.VIDEO:
      case MESSAGE.AGGREGATE:
        return this.#sink.wants(stream.messageStreamId) ? 'media' : 'nothing'
      case MESSAGE.DATA_AMF0:
      case MESSAGE.DATA_AMF3:
        return lengthBytes <= MAX_DATA_BYTES && this.#sink.wants(stream.messageStreamId) ? 'own' : 'nothing'
      default:
        if (lengthBytes > MAX_COMMAND_BYTES) {
          throw new LimitError(`RTMP message of type ${type}, bytes`, { limit: MAX_COMMAND_BYTES, asked: lengthBytes })
        }
        return 'own'
    }
  }

  /** A chunk of `stream` follows. */
  #enter(stream: ChunkStream): void {
    this.#current = stream
    this.#chunkLeft = Math.min(this.#chunkSize, stream.lengthBytes - stream.got)
    if (this.#chunkLeft === 0) this.#complete(stream, stream.target ?? EMPTY, 0)
  }

  #payload(bytes: Buffer, from: number, to: number): number {
    const stream = this.#current
    if (stream === undefined) return to
    const count = Math.min(this.#chunkLeft, to - from)
    const end = from + count
    if (stream.keep === 'own' && stream.target === undefined) {
      if (count === stream.lengthBytes) {
        this.#chunkLeft = 0
        this.#complete(stream, bytes, from)
        return end
      }
      this.#reserve(stream.lengthBytes)
      stream.target = Buffer.allocUnsafe(stream.lengthBytes)
      stream.targetOffset = 0
    }
    if (stream.target !== undefined) bytes.copy(stream.target, stream.targetOffset + stream.got, from, end)
    stream.got += count
    this.#chunkLeft -= count
    if (stream.got === stream.lengthBytes) this.#complete(stream, stream.target ?? EMPTY, stream.targetOffset)
    return end
  }

  /** The whole payload of `stream` lies at `offset` of `bytes`. */
  #complete(stream: ChunkStream, bytes: Buffer, offset: number): void {
    const { keep, block, type, timestampMs, messageStreamId } = stream
    if (stream.target !== undefined) this.#pendingBytes -= stream.lengthBytes
    stream.clear()
    if (keep === 'nothing') return
    if (block === undefined) {
      this.#control(type, timestampMs, messageStreamId, bytes.subarray(offset, offset + stream.lengthBytes))
      return
    }
    // half the price of `subarray`, once for each message
    const payload = new Uint8Array(bytes.buffer, bytes.byteOffset + offset, stream.lengthBytes)
    try {
      this.#sink.media(type, timestampMs, messageStreamId, payload, block)
    } finally {
      block.release()
    }
  }

  #control(type: number, timestampMs: number, messageStreamId: number, payload: Buffer): void {
    if (type !== MESSAGE.SET_CHUNK_SIZE && type !== MESSAGE.ABORT) {
      this.#sink.message(type, timestampMs, messageStreamId, payload)
      return
    }
    if (payload.length < 4) throw new MalformedError('RTMP control message', `type ${type} of ${payload.length} bytes`)
    const value = payload.readUInt32BE(0)
    if (type === MESSAGE.ABORT) {
      const stream = this.#streams.get(value)
      if (stream !== undefined) this.#forget(stream)
    } else {
      const size = value & 0x7fffffff // §5.4.1: the first bit is zero
      if (size === 0) throw new MalformedError('RTMP control message', 'chunk size 0')
      this.#chunkSize = Math.min(size, MAX_CHUNK_SIZE)
    }
  }

  #reserve(bytes: number): void {
    const asked = this.#pendingBytes + bytes
    if (asked > this.maxPendingBytes) {
      throw new LimitError('RTMP messages under way, bytes', { limit: this.maxPendingBytes, asked })
    }
    this.#pendingBytes = asked
  }

  #forget(stream: ChunkStream): void {
    if (stream.target !== undefined) this.#pendingBytes -= stream.lengthBytes
    stream.block?.release()
    stream.clear()
  }

  #keepPartial(bytes: Buffer, from: number, to: number): void {
    this.#partial ??= Buffer.allocUnsafe(MAX_HEADER_BYTES)
    this.#partialBytes = bytes.copy(this.#partial, 0, from, to)
  }

  /** A header that the last read cut: tries again with what came. Returns how far `bytes` is used. */
  #completeHeader(bytes: Buffer, from: number, to: number): number {
    const partial = this.#partial ?? EMPTY
    const had = this.#partialBytes
    const have = had + bytes.copy(partial, had, from, Math.min(to, from + MAX_HEADER_BYTES - had))
    const headerBytes = this.#header(partial, 0, have)
    if (headerBytes === 0) {
      this.#partialBytes = have
      return to
    }
    this.#partialBytes = 0
    if (headerBytes >= had) return from + headerBytes - had
    // No extended timestamp after all: up to three bytes taken for one are what comes next.
    const next = Buffer.from(partial.subarray(headerBytes, had))
    const used = this.read(next, 0, next.length)
    if (used < next.length) this.#keepPartial(next, used, next.length)
    return from
  }
}

const EMPTY = Buffer.alloc(0)
