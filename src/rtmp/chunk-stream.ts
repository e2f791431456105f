import type { Block } from '../media/block.ts'

/** What one chunk stream remembers: its last header, which later ones leave out parts of, and the message under way. */
export class ChunkStream {
  readonly id: number
  /** Of the message under way or the last one, 32 bits unsigned. */
  timestampMs = 0
  /** The timestamp field as last sent: absolute in type 0, a difference in types 1 and 2. What type 3 repeats. */
  timestampField = 0
  /** The last header had its timestamp field in 32 bits. */
  extended = false
  /** Of the whole message. */
  lengthBytes = 0
  type = 0
  messageStreamId = 0

  /** A message has begun and is not complete. */
  busy = false
  /** Bytes of it that are there. */
  got = 0
  /** Where its payload is put together; undefined while it is skipped, or nothing had to be kept yet. */
  target: Buffer | undefined
  targetOffset = 0
  /** Holds `target` when it is media. */
  block: Block | undefined
  /** How the message is kept, see `keepOf`. */
  keep: Keep = 'nothing'

  constructor(id: number) {
    this.id = id
  }

  /** Forgets the message under way; the header stays. Whoever held the block releases it first. */
  clear(): void {
    this.busy = false
    this.got = 0
    this.target = undefined
    this.block = undefined
  }
}

/** `media` goes into pooled blocks, `own` into a small buffer of its own, `nothing` is read over. */
export type Keep = 'media' | 'own' | 'nothing'
