import type { Block } from '../../src/media/block.ts'
import { ChunkReader, type ChunkSink } from '../../src/rtmp/chunk-reader.ts'

/** A message as a chunk reader gave it, copied. */
export interface Collected {
  readonly type: number
  readonly timestampMs: number
  readonly messageStreamId: number
  readonly payload: Buffer
  readonly isMedia: boolean
}

/** Keeps every message of one chunk reader. */
export class Collector implements ChunkSink {
  readonly messages: Collected[] = []
  readonly reader: ChunkReader
  wanted = true
  /** Messages after which the reader is stopped. */
  stopAfter = Number.POSITIVE_INFINITY

  constructor(options: { maxMessageBytes?: number; maxPendingBytes?: number } = {}) {
    this.reader = new ChunkReader(this, options.maxMessageBytes ?? 16 * 1024 * 1024)
    this.reader.maxPendingBytes = options.maxPendingBytes ?? 32 * 1024 * 1024
  }

  wants(): boolean {
    return this.wanted
  }

  media(type: number, timestampMs: number, messageStreamId: number, payload: Uint8Array, block: Block): void {
    if (block.holders < 1) throw new Error('block is not held')
    this.#keep(type, timestampMs, messageStreamId, Buffer.from(payload), true)
  }

  message(type: number, timestampMs: number, messageStreamId: number, payload: Buffer): void {
    this.#keep(type, timestampMs, messageStreamId, payload, false)
  }

  /** Reads all of `bytes`, in pieces of `pieceBytes`. */
  read(bytes: Buffer, pieceBytes = bytes.length): this {
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      const to = Math.min(at + pieceBytes, bytes.length)
      // out of a buffer that is overwritten, as the real one is
      const shared = Buffer.from(bytes.subarray(at, to))
      this.reader.read(shared, 0, shared.length)
      shared.fill(0xee)
    }
    return this
  }

  #keep(type: number, timestampMs: number, messageStreamId: number, payload: Buffer, isMedia: boolean): void {
    this.messages.push({ type, timestampMs, messageStreamId, payload: Buffer.from(payload), isMedia })
    if (this.messages.length >= this.stopAfter) this.reader.stop()
  }
}

/** Bytes that differ from their neighbours. */
export function pattern(length: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(length)
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + seed * 17 + (i >>> 8)) & 0xff
  return bytes
}

/** Bytes in hexadecimal, with spaces where they help. */
export function hex(text: string): Buffer {
  return Buffer.from(text.replace(/\s/g, ''), 'hex')
}
