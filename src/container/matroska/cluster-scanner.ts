import type { FaultList } from '../fault-list.ts'
import type { SourceWindow } from '../source-window.ts'
import { MAX_BLOCK_HEADER_BYTES, MatroskaBlock } from './block.ts'
import { type Extent, findAlpha } from './block-additions.ts'
import { ElementHeader, MAX_HEADER_BYTES, UNKNOWN_SIZE } from './ebml.ts'
import * as E from './elements.ts'

/** Children of one BlockGroup that are looked at. */
const MAX_GROUP_CHILDREN = 64

/** A Cluster that really ends at `end`, while the file states no size of it, or another. */
export type MisstatedCluster = { readonly offset: number; readonly headerBytes: number; readonly end: number }

type Cluster = {
  readonly offset: number
  readonly headerBytes: number
  /** Infinite while unknown. */
  readonly end: number
  /** Where whole things ended when it began: what is left when it turns out to hold nothing. */
  readonly wholeBefore: number
  timeTicks: number
  blockCount: number
}

/**
 * Goes through the Clusters of a file, block by block, in file order. Passes over what it does not know; begins anew at
 * the next Cluster behind garbage; ends before a torn element.
 */
export class ClusterScanner {
  readonly #window: SourceWindow
  readonly #faults: FaultList
  readonly #segmentEnd: number
  readonly #header = new ElementHeader()
  readonly #ahead = new ElementHeader()
  #at: number
  #cluster: Cluster | undefined
  /** The last one that was through where it states; a cut may yet fall into it, at garbage near its end. */
  #sound: Cluster | undefined
  /** The block that `next` found; overwritten by the following `next`. */
  readonly block = new MatroskaBlock()
  /** Called as each Cluster is through whose size is not stated, or wrongly. */
  onMisstated: ((cluster: MisstatedCluster) => void) | undefined
  /** Where the last Cues begin and end that stand behind Clusters. */
  cues: { readonly offset: number; readonly end: number } | undefined
  /** Where the last whole thing ends; final once `next` was false. */
  wholeEnd: number
  /** Behind `wholeEnd` there is something torn. */
  isTorn = false
  /** Another document follows behind `wholeEnd`. */
  hasSequel = false

  constructor(window: SourceWindow, bodyOffset: number, segmentEnd: number, faults: FaultList) {
    this.#window = window
    this.#faults = faults
    this.#segmentEnd = segmentEnd
    this.#at = bodyOffset
    this.wholeEnd = bodyOffset
  }

  /** How far it has come, offset in the file. */
  get position(): number {
    return this.#at
  }

  /** Goes to the next block. False at the end. */
  async next(): Promise<boolean> {
    for (;;) {
      const cluster = this.#cluster
      if (cluster !== undefined && this.#at >= cluster.end) this.#closeCluster(this.#at)
      const fileEnd = this.#window.source.sizeBytes
      const limit = Math.min(fileEnd, this.#segmentEnd)
      if (this.#at >= limit) return this.#end(fileEnd)
      if (!this.#window.has(this.#at, MAX_HEADER_BYTES)) await this.#window.load(this.#at, MAX_HEADER_BYTES)
      const state = this.#readHeader(this.#at)
      if (state === 'short') return this.#tear()
      if (state === 'bad' || !(await this.#isPlausible())) {
        if (!(await this.#resume())) return this.#tear()
        continue
      }
      const { id, size, length } = this.#header
      if (E.isTopLevel(id)) {
        if (!this.#topLevel(id, size, length)) return false
        continue
      }
      const end = this.#at + length + size
      if (this.#cluster === undefined || !(await this.#child(this.#cluster, id, this.#at + length, size))) {
        this.#pass(end)
        continue
      }
      this.#cluster.blockCount++
      this.block.offset = this.#at
      this.block.end = end
      this.block.clusterOffset = this.#cluster.offset
      this.block.clusterDataOffset = this.#cluster.offset + this.#cluster.headerBytes
      this.#pass(end)
      return true
    }
  }

  #readHeader(offset: number): 'ok' | 'short' | 'bad' {
    const { start, bytes } = this.#window
    return this.#header.read(bytes, offset - start, bytes.length)
  }

  #pass(end: number): void {
    this.#at = end
    this.wholeEnd = end
  }

  /** Whether the element at hand may stand here and is whole: garbage, too, can look like an element. */
  async #isPlausible(): Promise<boolean> {
    const { id, size, length } = this.#header
    if (id === E.CLUSTER || id === E.SEGMENT || id === E.EBML) return true
    const end = this.#at + length + size
    if (size === UNKNOWN_SIZE || end > this.#window.source.sizeBytes) return false
    if (E.isTopLevel(id)) return true
    const cluster = this.#cluster
    if (cluster !== undefined && end > cluster.end) return false
    if (id === E.VOID || id === E.CRC_32 || (cluster !== undefined && E.isClusterChild(id))) return true
    // Of unknown kind: then something known, or the end, must follow.
    if (end === this.#window.source.sizeBytes || end === cluster?.end) return true
    const next = await this.#peek(end)
    return next !== undefined && (E.isTopLevel(next) || E.isClusterChild(next))
  }

  /** The ID of the element at `offset`, without moving the window away; undefined when none is there. */
  async #peek(offset: number): Promise<number | undefined> {
    const { source, start, bytes } = this.#window
    if (offset >= source.sizeBytes) return undefined
    const isHere = this.#window.has(offset, MAX_HEADER_BYTES)
    const piece = isHere ? bytes.subarray(offset - start) : await source.read(offset, MAX_HEADER_BYTES)
    return this.#ahead.read(piece, 0, piece.length) === 'ok' ? this.#ahead.id : undefined
  }

  /** Takes in the head of a child of the Segment. False at the end of what can be read. */
  #topLevel(id: number, size: number, length: number): boolean {
    const offset = this.#at
    const stated = this.#cluster?.end ?? Number.POSITIVE_INFINITY
    if (stated !== Number.POSITIVE_INFINITY) {
      this.#faults.note('bad-size', offset, `a Cluster ends here and not, as it states, at ${stated}`)
    }
    this.#closeCluster(offset)
    if (id === E.SEGMENT || id === E.EBML) {
      this.hasSequel = true
      this.#faults.note('second-segment', offset, 'another Segment follows; only the first one is read')
      return false
    }
    const end = size === UNKNOWN_SIZE ? Number.POSITIVE_INFINITY : offset + length + size
    if (id === E.CLUSTER) {
      this.#cluster = { offset, headerBytes: length, end, wholeBefore: this.wholeEnd, timeTicks: 0, blockCount: 0 }
      this.#at = offset + length
      return true
    }
    if (id === E.CUES) this.cues = { offset, end }
    this.#pass(end)
    return true
  }

  /** Reads one child of a Cluster. True when `block` holds a block now. */
  async #child(cluster: Cluster, id: number, dataOffset: number, size: number): Promise<boolean> {
    switch (id) {
      case E.TIMESTAMP:
        cluster.timeTicks = await this.#uint(dataOffset, size)
        return false
      case E.SIMPLE_BLOCK:
        return this.#readBlock(cluster, dataOffset, size)
      case E.BLOCK_GROUP:
        return this.#readGroup(cluster, dataOffset, size)
      default:
        return false
    }
  }

  async #readBlock(cluster: Cluster, dataOffset: number, size: number): Promise<boolean> {
    const window = this.#window
    const wanted = Math.min(size, MAX_BLOCK_HEADER_BYTES)
    if (!window.has(dataOffset, wanted)) await window.load(dataOffset, wanted)
    const at = dataOffset - window.start
    if (this.block.readHeader(window.bytes, at, size, dataOffset, cluster.timeTicks)) return true
    this.#faults.note('bad-block', dataOffset, 'a block without a sound header was passed over')
    return false
  }

  async #readGroup(cluster: Cluster, dataOffset: number, size: number): Promise<boolean> {
    const end = dataOffset + size
    let at = dataOffset
    let hasBlock = false
    let isKey = true
    let durationTicks: number | undefined
    let alpha: Extent | undefined
    for (let count = 0; at < end && count < MAX_GROUP_CHILDREN; count++) {
      await this.#window.load(at, MAX_HEADER_BYTES)
      if (this.#readHeader(at) !== 'ok' || this.#header.size === UNKNOWN_SIZE) break
      const { id, size: childSize, length } = this.#header
      const childAt = at + length
      at = childAt + childSize
      if (at > end) break
      if (id === E.BLOCK) hasBlock = await this.#readBlock(cluster, childAt, childSize)
      else if (id === E.REFERENCE_BLOCK) isKey = false
      else if (id === E.BLOCK_ADDITIONS) alpha = await findAlpha(this.#window, { offset: childAt, size: childSize })
      else if (id === E.BLOCK_DURATION) durationTicks = await this.#uint(childAt, childSize)
    }
    if (at !== end) this.#faults.note('bad-block', dataOffset, 'a broken BlockGroup')
    this.block.key = isKey
    this.block.durationTicks = durationTicks
    this.block.alphaOffset = alpha?.offset ?? 0
    this.block.alphaBytes = alpha?.size ?? 0
    return hasBlock
  }

  /** An integer of at most 8 bytes; 0 for a longer one. */
  async #uint(offset: number, size: number): Promise<number> {
    if (size > 8) return 0
    await this.#window.load(offset, size)
    let value = 0
    for (const byte of this.#window.view(offset, size)) value = value * 256 + byte
    return Number.isSafeInteger(value) ? value : 0
  }

  #closeCluster(end: number): void {
    const cluster = this.#cluster
    this.#cluster = undefined
    if (cluster === undefined) return
    // Without a block, and not whole by its size either, it is worth nothing: a cut takes it along.
    const isVoid = cluster.blockCount === 0 && (cluster.end !== end || this.wholeEnd < end)
    if (isVoid) this.wholeEnd = cluster.wholeBefore
    if (cluster.end === end) {
      if (!isVoid) this.#sound = cluster
      return
    }
    this.onMisstated?.({ offset: cluster.offset, headerBytes: cluster.headerBytes, end })
  }

  /** Behind garbage: goes to the end of its Cluster where that is sound, else to the next Cluster or Cues. False when there is nothing more. */
  async #resume(): Promise<boolean> {
    const from = this.#at
    const end = this.#cluster?.end
    const isSound = end !== undefined && E.isTopLevel((await this.#peek(end)) ?? 0)
    const next = isSound ? end : await this.#search(from + 1)
    if (next === undefined) return false
    this.#faults.note('garbage', from, `${next - from} bytes that are no Matroska were passed over`)
    this.#closeCluster(isSound ? next : from)
    this.#at = next
    return true
  }

  /** The next Cluster or Cues from `from` on. */
  async #search(from: number): Promise<number | undefined> {
    const window = this.#window
    const fileEnd = Math.min(window.source.sizeBytes, this.#segmentEnd)
    let at = from
    while (at < fileEnd) {
      await window.load(at, MAX_HEADER_BYTES)
      const { bytes, start } = window
      let i = at - start
      while (i + 4 <= bytes.length && !isResumable(bytes, i)) i++
      if (i + 4 > bytes.length && bytes.length < MAX_HEADER_BYTES) return undefined
      at = start + i
      if (i + 4 <= bytes.length) {
        if ((await this.#peek(at)) !== undefined) return at
        at++
      }
    }
    return undefined
  }

  /** The regular end: of the file or of the Segment. */
  #end(fileEnd: number): boolean {
    const cluster = this.#cluster
    if (cluster?.blockCount === 0) return this.#tear()
    const statedEnd = cluster === undefined || cluster.end === Number.POSITIVE_INFINITY ? this.#segmentEnd : cluster.end
    if (statedEnd !== Number.POSITIVE_INFINITY && statedEnd > fileEnd) {
      this.#faults.note('torn-tail', this.#at, `the file ends before ${statedEnd}, its stated end`)
    }
    this.#closeCluster(this.#at)
    return false
  }

  /** The end before something torn, with the Cluster it stands in where no whole block is, and with garbage before that. */
  #tear(): false {
    const isEmpty = this.#cluster?.blockCount === 0
    if (isEmpty) this.wholeEnd = this.#cluster?.wholeBefore ?? this.wholeEnd
    const tornBytes = this.#window.source.sizeBytes - this.wholeEnd
    this.#faults.note('torn-tail', this.wholeEnd, `${tornBytes} bytes of a torn tail`)
    this.isTorn = true
    if (isEmpty) this.#cluster = undefined
    this.#closeCluster(this.wholeEnd)
    const sound = this.#sound
    if (sound === undefined || sound.end <= this.wholeEnd) return false
    this.onMisstated?.({ offset: sound.offset, headerBytes: sound.headerBytes, end: this.wholeEnd })
    return false
  }
}

/** Whether the ID of a Cluster or of Cues stands at `at`. */
function isResumable(bytes: Uint8Array, at: number): boolean {
  if (bytes[at] === 0x1f) return bytes[at + 1] === 0x43 && bytes[at + 2] === 0xb6 && bytes[at + 3] === 0x75
  return bytes[at] === 0x1c && bytes[at + 1] === 0x53 && bytes[at + 2] === 0xbb && bytes[at + 3] === 0x6b
}
