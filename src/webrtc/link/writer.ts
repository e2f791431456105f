import type { Frame } from '../../media/frame.ts'
import { FRAME_FIELDS_BYTES, HEADER_BYTES, KEY_FLAG, MAX_CONTROL_BYTES, MAX_FRAME_BYTES, TYPE } from './wire.ts'

/** What is gathered before it is written, bytes. */
const BATCH_BYTES = 64 * 1024
/** How long it is gathered, ms: each write wakes the other side. */
const GATHERING_MS = 20
/** Written, and not taken by the other side: beyond this nothing more is accepted, bytes. */
const MAX_BACKLOG_BYTES = 1024 * 1024

/** What a writer writes on. */
export interface LinkOutput {
  write(bytes: Uint8Array, done: (error?: Error | null) => void): boolean
}

/** Puts messages on a link, gathered into few writes. */
export class LinkWriter {
  readonly #output: LinkOutput
  /** Batches that were written and can be used anew. */
  readonly #spare: Buffer[] = []
  #batch: Buffer = Buffer.allocUnsafeSlow(BATCH_BYTES)
  #used = 0
  #timer: NodeJS.Timeout | undefined
  #backlogBytes = 0
  /** Called when frames are accepted again. */
  onDrain: () => void = () => {}

  constructor(output: LinkOutput) {
    this.#output = output
  }

  /** The other side does not keep up: frames are better kept back. */
  get isFull(): boolean {
    return this.#backlogBytes > MAX_BACKLOG_BYTES
  }

  /** Goes out with the next turn of the event loop. Messages that are too long are left out: false. */
  control(message: object): boolean {
    const text = JSON.stringify(message)
    const length = Buffer.byteLength(text)
    if (length > MAX_CONTROL_BYTES) return false
    const at = this.#header(TYPE.CONTROL, 0, length, length)
    this.#batch.write(text, at, 'utf8')
    this.#schedule(0)
    return true
  }

  /** False for a frame beyond the bound of a message. */
  frame(session: number, track: number, frame: Frame): boolean {
    const { data } = frame
    if (data.length > MAX_FRAME_BYTES) return false
    const length = FRAME_FIELDS_BYTES + data.length
    const at = this.#header(TYPE.FRAME, frame.key ? KEY_FLAG : 0, length, length)
    const batch = this.#batch
    batch.writeUInt32LE(session, at)
    batch.writeUInt32LE(track, at + 4)
    batch.writeDoubleLE(frame.dts, at + 8)
    batch.writeDoubleLE(frame.pts, at + 16)
    batch.set(data, at + FRAME_FIELDS_BYTES)
    if (this.#used >= BATCH_BYTES) this.flush()
    else if (this.#timer === undefined) this.#schedule(GATHERING_MS)
    return true
  }

  /** Writes what was gathered. */
  flush(): void {
    if (this.#timer !== undefined) clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#used === 0) return
    this.#header(TYPE.FLUSH, 0, 0, 0)
    this.#write()
  }

  #write(): void {
    const batch = this.#batch
    const length = this.#used
    this.#backlogBytes += length
    this.#batch = this.#spare.pop() ?? Buffer.allocUnsafeSlow(BATCH_BYTES)
    this.#used = 0
    this.#output.write(batch.subarray(0, length), () => {
      const wasFull = this.isFull
      this.#backlogBytes -= length
      if (batch.length === BATCH_BYTES && this.#spare.length < 2) this.#spare.push(batch)
      if (wasFull && !this.isFull) this.onDrain()
    })
  }

  #schedule(delayMs: number): void {
    if (this.#timer !== undefined) {
      if (delayMs > 0) return
      clearTimeout(this.#timer)
    }
    this.#timer = setTimeout(() => this.flush(), delayMs)
  }

  /** Makes room for a message, with its header; returns where its body goes. */
  #header(type: number, flags: number, length: number, room: number): number {
    const needed = HEADER_BYTES + room
    if (this.#used > 0 && this.#used + needed > this.#batch.length) this.#write()
    if (needed + HEADER_BYTES > this.#batch.length) this.#batch = Buffer.allocUnsafeSlow(needed + HEADER_BYTES)
    const at = this.#used
    this.#batch.writeUInt32LE(length, at)
    this.#batch.writeUInt32LE(type | (flags << 8), at + 4)
    this.#used = at + needed
    return at + HEADER_BYTES
  }
}
