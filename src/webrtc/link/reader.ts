import type { Arena } from '../../media/arena.ts'
import type { Block } from '../../media/block.ts'
import { LimitError, MalformedError } from '../../media/errors.ts'
import { FRAME_FIELDS_BYTES, HEADER_BYTES, KEY_FLAG, MAX_CONTROL_BYTES, MAX_FRAME_BYTES, TYPE } from './wire.ts'

/** Where the messages of a link go. */
export interface LinkSink {
  control(message: unknown): void
  /** Where the next frame of this session is laid; undefined when nobody wants it any more. */
  arena(session: number): Arena | undefined
  /** `data` lies in `block`, which is lent for the call. */
  frame(session: number, track: number, key: boolean, dts: number, pts: number, data: Uint8Array, block: Block): void
  flush(): void
}

/** Takes a link's bytes apart, from reads of any size. A frame is copied once, from the read buffer into a block. */
export class LinkReader {
  readonly #sink: LinkSink
  readonly #head = Buffer.alloc(HEADER_BYTES + FRAME_FIELDS_BYTES)
  #headBytes = 0
  #headNeeds = HEADER_BYTES
  /** Bytes of the body that are still to come; with none, a header comes. */
  #left = 0
  #type: number = 0
  #target: Buffer | undefined
  #targetAt = 0
  #block: Block | undefined
  #bodyBytes = 0

  constructor(sink: LinkSink) {
    this.#sink = sink
  }

  /** @throws MalformedError, LimitError; the link cannot go on afterwards */
  read(bytes: Buffer, length: number): void {
    let at = 0
    while (at < length) at = this.#left > 0 ? this.#body(bytes, at, length) : this.#header(bytes, at, length)
  }

  /** Lets go of a frame that is not complete. */
  close(): void {
    this.#block?.release()
    this.#block = this.#target = undefined
    this.#left = 0
  }

  #header(bytes: Buffer, from: number, to: number): number {
    const end = from + Math.min(to - from, this.#headNeeds - this.#headBytes)
    this.#headBytes += bytes.copy(this.#head, this.#headBytes, from, end)
    if (this.#headBytes < this.#headNeeds) return end
    if (this.#headNeeds === HEADER_BYTES) this.#begin()
    else this.#beginFrame()
    return end
  }

  #begin(): void {
    this.#bodyBytes = this.#head.readUInt32LE(0)
    this.#type = this.#head[4]
    switch (this.#type) {
      case TYPE.FRAME:
        if (this.#bodyBytes < FRAME_FIELDS_BYTES) throw new MalformedError('media link', 'a frame without fields')
        bound('media link: frame, bytes', this.#bodyBytes - FRAME_FIELDS_BYTES, MAX_FRAME_BYTES)
        this.#headNeeds = HEADER_BYTES + FRAME_FIELDS_BYTES
        return
      case TYPE.CONTROL:
        bound('media link: control message, bytes', this.#bodyBytes, MAX_CONTROL_BYTES)
        if (this.#bodyBytes === 0) throw new MalformedError('media link', 'an empty control message')
        this.#left = this.#bodyBytes
        this.#headBytes = 0
        return
      case TYPE.FLUSH:
        if (this.#bodyBytes !== 0) throw new MalformedError('media link', 'a flush with a body')
        this.#headBytes = 0
        this.#sink.flush()
        return
      default:
        throw new MalformedError('media link', `a message of type ${this.#type}`)
    }
  }

  #beginFrame(): void {
    this.#left = this.#bodyBytes - FRAME_FIELDS_BYTES
    const arena = this.#sink.arena(this.#head.readUInt32LE(HEADER_BYTES))
    this.#headNeeds = HEADER_BYTES
    this.#headBytes = 0
    if (arena !== undefined) {
      this.#block = arena.reserve(this.#left)
      this.#target = this.#block.bytes
      this.#targetAt = arena.start
    }
    if (this.#left === 0) this.#complete(0)
  }

  #body(bytes: Buffer, from: number, to: number): number {
    const count = Math.min(this.#left, to - from)
    const end = from + count
    if (this.#type === TYPE.CONTROL && this.#target === undefined) {
      if (count === this.#bodyBytes) {
        this.#left = 0
        this.#sink.control(parse(bytes, from, end))
        return end
      }
      this.#target = Buffer.allocUnsafe(this.#bodyBytes)
      this.#targetAt = 0
    }
    const length = this.#type === TYPE.CONTROL ? this.#bodyBytes : this.#bodyBytes - FRAME_FIELDS_BYTES
    if (this.#target !== undefined) bytes.copy(this.#target, this.#targetAt + length - this.#left, from, end)
    this.#left -= count
    if (this.#left === 0) this.#complete(length)
    return end
  }

  #complete(length: number): void {
    const target = this.#target
    const block = this.#block
    this.#target = this.#block = undefined
    if (target === undefined) return
    if (block === undefined) {
      this.#sink.control(parse(target, 0, length))
      return
    }
    const head = this.#head
    const session = head.readUInt32LE(HEADER_BYTES)
    const track = head.readUInt32LE(HEADER_BYTES + 4)
    const data = new Uint8Array(target.buffer, target.byteOffset + this.#targetAt, length)
    try {
      const [dts, pts] = [ticks(head, HEADER_BYTES + 8), ticks(head, HEADER_BYTES + 16)]
      this.#sink.frame(session, track, (head[5] & KEY_FLAG) !== 0, dts, pts, data, block)
    } finally {
      block.release()
    }
  }
}

function ticks(head: Buffer, at: number): number {
  const value = head.readDoubleLE(at)
  if (!Number.isSafeInteger(value)) throw new MalformedError('media link', `${value} as a time`)
  return value
}

function parse(bytes: Buffer, from: number, to: number): unknown {
  try {
    return JSON.parse(bytes.toString('utf8', from, to))
  } catch {
    throw new MalformedError('media link', 'a control message that is not JSON')
  }
}

function bound(what: string, asked: number, limit: number): void {
  if (asked > limit) throw new LimitError(what, { limit, asked })
}
