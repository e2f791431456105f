import { rescale, toMs } from '../../media/clock.ts'
import { MisuseError, UnsupportedError } from '../../media/errors.ts'
import type { Frame } from '../../media/frame.ts'
import type { ByteSink, Chapter, Muxer } from '../../media/ports.ts'
import type { Track } from '../../media/track.ts'
import { InBandSets } from '../epoch-change.ts'
import { writeChapters } from './chapters.ts'
import { ClusterWriter } from './cluster-writer.ts'
import type { DocType } from './codec-mapping.ts'
import { CueIndex } from './cue-index.ts'
import { completingPatches, type Slots, writeHead } from './layout.ts'
import { TrackExtent } from './track-extent.ts'
import { TrackTable } from './track-table.ts'
import { codecDelayNs } from './track-writer.ts'

const NS_PER_SECOND = 1_000_000_000

/** What can be said of a file beyond its tracks. */
export interface MatroskaMuxerOptions {
  readonly title?: string
  /** Wall clock of the recording's start, ms since 1970; now by default. */
  readonly creationTimeMs?: number
  /** `webm` holds VP8, VP9, AV1 and Opus alone. `matroska` by default. */
  readonly docType?: DocType
  /** Pictures that come late are not accepted: the name of the file says that there are none. */
  readonly isSoundAlone?: boolean
  /**
   * Every keyframe of H.264 and HEVC carries its parameter sets, from the first on: for sources whose pictures change size, so
   * that players can jump back over a change.
   */
  readonly inBandSets?: boolean
}

/** What is kept of one track while it is written. */
type Lane = {
  /** As its last frame had it. */
  track: Track
  readonly number: number
  readonly isVideo: boolean
  readonly timescale: number
  /** What keyframes need before them, since the file's one CodecPrivate is no more true; from the first such epoch on. */
  inBandSets: InBandSets | undefined
  hasChanged: boolean
  /** Added to every timestamp and taken off again by readers, ticks of the track (CodecDelay). */
  readonly delayTicks: number
  readonly extent: TrackExtent
}

/**
 * Matroska (RFC 9559) or WebM. Every block is appended at once, to Clusters of at most 1 s whose size is filled in as the
 * next one starts, in a Segment of unknown size; so the file plays wherever it ends. `finish` appends Cues and fills in
 * Duration, SeekHead and sizes.
 *
 * Timestamps are milliseconds, each rounded by itself: at most 0.5 ms off, and never adding up. Matroska stores only
 * presentation times. Tracks that come late go into a reserve behind the first ones.
 */
export class MatroskaMuxer implements Muxer {
  readonly #out: ByteSink
  readonly #options: MatroskaMuxerOptions
  readonly #table: TrackTable
  readonly #cues = new CueIndex()
  readonly #lanes = new Map<number, Lane>()
  readonly #clusters: ClusterWriter
  #slots: Slots | undefined
  #finished = false

  constructor(out: ByteSink, options: MatroskaMuxerOptions = {}) {
    this.#out = out
    this.#options = options
    this.#table = new TrackTable(options.docType ?? 'matroska')
    this.#clusters = new ClusterWriter(out, this.#cues)
  }

  /** @throws UnsupportedError when the container cannot carry a codec; nothing is written then */
  start(tracks: readonly Track[]): void {
    if (this.#slots !== undefined) throw new MisuseError('Matroska muxer: started twice')
    for (const track of tracks) {
      if (!this.#table.add(track)) throw new UnsupportedError('Matroska: more tracks than fit into one file')
    }
    const { docType = 'matroska', title, creationTimeMs = Date.now() } = this.#options
    const head = writeHead({ docType, title, creationTimeMs })
    const base = this.#out.position
    if (base !== 0) throw new MisuseError('Matroska muxer: the file must be empty')
    this.#slots = head.slots
    this.#out.write(head.bytes)
    this.#table.place(head.bytes.length)
    this.#out.write(this.#table.bytes())
    this.#clusters.segmentOffset = head.slots.segmentOffset
    for (const track of tracks) this.#openLane(track)
  }

  /**
   * A late track: yes while its entry fits into the reserve. A new epoch: of video in the same codec always, since its
   * keyframes then carry what CodecPrivate does not say; of sound only where nothing changes.
   */
  accepts(track: Track): boolean {
    if (this.#options.isSoundAlone === true && track.kind === 'video') return false
    return this.#slots !== undefined && !this.#finished && this.#table.accepts(track)
  }

  add(track: Track): void {
    if (!this.accepts(track)) throw new MisuseError(`Matroska muxer: track ${track.id} was not accepted`)
    const isNew = !this.#lanes.has(track.id)
    if (this.#table.add(track)) this.#out.patch(this.#table.offset, this.#table.bytes())
    if (isNew) this.#openLane(track)
  }

  write(frame: Frame): void {
    const lane = this.#lanes.get(frame.track.id)
    if (lane === undefined || this.#finished) {
      throw new MisuseError(`Matroska muxer: frame of track ${frame.track.id}, which is not open here`)
    }
    if (frame.track !== lane.track) {
      lane.track = frame.track
      if (this.#table.refine(frame.track)) this.#out.patch(this.#table.offset, this.#table.bytes())
      lane.hasChanged ||= lane.isVideo && !this.#table.describes(frame.track)
      lane.inBandSets = lane.hasChanged ? InBandSets.of(frame.track) : undefined
    }
    const { pts } = frame
    lane.extent.add(frame.dts, pts)
    const kept = lane.inBandSets === undefined ? frame : lane.inBandSets.into(frame)
    this.#clusters.write(lane.number, lane.isVideo, toMs(pts + lane.delayTicks, lane.timescale), kept)
  }

  /** Nothing is ever held back. */
  flush(): void {}

  async finish(chapters: readonly Chapter[] = []): Promise<void> {
    if (this.#slots === undefined) throw new MisuseError('Matroska muxer: finished before it was started')
    if (this.#finished) return
    this.#finished = true
    this.#clusters.close()
    const chaptersOffset = chapters.length > 0 && this.#cues.length > 0 ? this.#out.position : undefined
    if (chaptersOffset !== undefined) this.#out.write(writeChapters(chapters))
    const cuesOffset = this.#cues.length > 0 ? this.#out.position : undefined
    for (const piece of this.#cues.pieces()) {
      this.#out.write(piece)
      await this.#out.drain()
    }
    this.#out.sync()
    const end = { cuesOffset, chaptersOffset, durationMs: this.#durationMs(), endOffset: this.#out.position }
    for (const { offset, bytes } of completingPatches(this.#slots, end)) this.#out.patch(offset, bytes)
    await this.#out.drain()
  }

  #openLane(track: Track): void {
    const needsSets = track.kind === 'video' && this.#options.inBandSets === true
    this.#lanes.set(track.id, {
      track,
      number: this.#table.numberOf(track.id),
      isVideo: track.kind === 'video',
      timescale: track.timescale,
      inBandSets: needsSets ? InBandSets.of(track) : undefined,
      hasChanged: needsSets,
      delayTicks: rescale(codecDelayNs(track), NS_PER_SECOND, track.timescale),
      extent: new TrackExtent(track.timescale),
    })
  }

  /** Up to the end of the last frame shown. */
  #durationMs(): number | undefined {
    let durationMs = 0
    for (const { extent } of this.#lanes.values()) durationMs = Math.max(durationMs, extent.endMs)
    return durationMs === 0 ? undefined : durationMs
  }
}
