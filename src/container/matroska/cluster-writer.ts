import type { Frame } from '../../media/frame.ts'
import type { ByteSink } from '../../media/ports.ts'
import { alphaGroup } from './alpha-group.ts'
import type { CueIndex } from './cue-index.ts'
import { longSize, putSize, sizeLength } from './ebml.ts'
import { SIMPLE_BLOCK } from './elements.ts'

/** A cluster takes blocks until this long after its first one, ms. */
const MAX_CLUSTER_MS = 1000
/** A keyframe starts a new cluster only when the current one is this old, ms: streams of keyframes alone exist. */
const MIN_CLUSTER_MS = 100
/** Lowest distance from its cluster that a block can have: 16 bits, signed, with some room (RFC 9559 §10.1). */
const MIN_RELATIVE_MS = -30_000
/** Bytes before the first block: ID, size (8) and Timestamp (2 + 8). */
const CLUSTER_HEAD_BYTES = 22
/** Where a cluster's content starts, after ID and size, bytes. */
const CLUSTER_DATA_BYTES = 12
/** ID, size (up to 8), track number, timestamp (2) and flags, bytes. */
const MAX_BLOCK_HEADER_BYTES = 13
const KEYFRAME_FLAG = 0x80 // SimpleBlock, RFC 9559 §10.2

/**
 * Writes SimpleBlocks, and BlockGroups of pictures with alpha, into Clusters (RFC 9559 §5.1.3). A cluster is open, its size
 * unknown, until the next one starts; then its size is filled in.
 */
export class ClusterWriter {
  readonly #out: ByteSink
  readonly #cues: CueIndex
  readonly #head = new Uint8Array(CLUSTER_HEAD_BYTES)
  readonly #headView: DataView
  readonly #block = new Uint8Array(MAX_BLOCK_HEADER_BYTES)
  /** The first n bytes of `#block`, by n: so that a frame costs no view of its own. */
  readonly #blockHeaders: Uint8Array[] = []
  /** Where the open cluster starts in the file; -1 when none is open. */
  #offset = -1
  #timeMs = 0
  /** When the last picture of each track was shown that a picture with alpha may refer to. */
  readonly #shownMs: (number | undefined)[] = []
  /** Set before the first block: where the Segment's content starts in the file. */
  segmentOffset = 0

  constructor(out: ByteSink, cues: CueIndex) {
    this.#out = out
    this.#cues = cues
    // ID, unknown size, Timestamp of 8 bytes
    this.#head.set([0x1f, 0x43, 0xb6, 0x75, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xe7, 0x88])
    this.#headView = new DataView(this.#head.buffer)
    for (let n = 0; n <= MAX_BLOCK_HEADER_BYTES; n++) this.#blockHeaders.push(this.#block.subarray(0, n))
  }

  /** Appends `frame` to track `number` (1 to 126), shown at `timeMs`. */
  write(number: number, isVideo: boolean, timeMs: number, frame: Frame): void {
    let relativeMs = timeMs - this.#timeMs
    if (this.#startsCluster(relativeMs, isVideo && frame.key)) {
      this.#open(timeMs)
      relativeMs = timeMs - this.#timeMs
    }
    const offset = this.#offset
    const blockAt = this.#out.position - offset - CLUSTER_DATA_BYTES
    this.#cues.offer(number, isVideo, frame.key, timeMs, offset - this.segmentOffset, blockAt)
    if (frame.track.kind === 'video' && frame.track.hasAlpha === true) {
      const referenceMs = frame.key ? undefined : (this.#shownMs[number] ?? timeMs) - timeMs
      this.#shownMs[number] = timeMs
      if (frame.alphaBytes > 0) {
        this.#writeWithAlpha(number, relativeMs, referenceMs, frame)
        return
      }
    }
    this.#writeSimple(number, relativeMs, frame)
  }

  #writeWithAlpha(number: number, relativeMs: number, referenceMs: number | undefined, frame: Frame): void {
    const { data, alpha, alphaBytes, block } = frame
    const group = alphaGroup({ number, relativeMs, referenceMs, dataBytes: data.length, alphaBytes })
    this.#out.write(group.head)
    this.#out.write(data, block)
    this.#out.write(group.between)
    this.#out.write(alpha, block)
    this.#out.write(group.tail)
  }

  #writeSimple(number: number, relativeMs: number, frame: Frame): void {
    const { data } = frame
    const block = this.#block
    const size = data.length + 4
    block[0] = SIMPLE_BLOCK
    const at = putSize(block, 1, size, sizeLength(size))
    block[at] = 0x80 | number
    block[at + 1] = relativeMs >> 8
    block[at + 2] = relativeMs
    block[at + 3] = frame.key ? KEYFRAME_FLAG : 0
    this.#out.write(this.#blockHeaders[at + 4])
    this.#out.write(data, frame.block)
  }

  /** Fills in the size of the open cluster. */
  close(): void {
    if (this.#offset < 0) return
    const size = this.#out.position - this.#offset - CLUSTER_DATA_BYTES
    this.#out.patch(this.#offset + 4, longSize(size))
    this.#offset = -1
  }

  #startsCluster(relativeMs: number, isVideoKey: boolean): boolean {
    if (this.#offset < 0 || relativeMs >= MAX_CLUSTER_MS || relativeMs < MIN_RELATIVE_MS) return true
    return isVideoKey && relativeMs >= MIN_CLUSTER_MS
  }

  #open(timeMs: number): void {
    this.close()
    this.#offset = this.#out.position
    this.#timeMs = Math.max(0, timeMs)
    this.#headView.setUint32(14, Math.floor(this.#timeMs / 2 ** 32))
    this.#headView.setUint32(18, this.#timeMs % 2 ** 32)
    this.#out.write(this.#head)
  }
}
