import { ByteWriter } from '../../media/bytes.ts'
import { fromMs } from '../../media/clock.ts'
import { MisuseError, TapedeckError } from '../../media/errors.ts'
import type { Frame } from '../../media/frame.ts'
import type { ByteSink, Chapter, Muxer } from '../../media/ports.ts'
import type { Track } from '../../media/track.ts'
import { fileHead, mediaHead, RESERVED_BYTES } from './file-head.ts'
import { type NextFrame, writeFragmentHead } from './fragment-writer.ts'
import { type FragmentedTrack, writeInitMovie } from './init-movie.ts'
import { InitRegion } from './init-region.ts'
import type { MovieFacts } from './movie-box.ts'
import { type IndexedTrack, movieIndex, movieTimescale } from './movie-index.ts'
import { MuxedTrack } from './muxed-track.ts'

/** A crash may cost a fragment, so it is short; a fragment costs some 300 bytes, so not too short. */
const DEFAULT_FRAGMENT_MS = 500
/** Media held while a fragment is gathered, bytes; one frame may be more. */
const MAX_FRAGMENT_BYTES = 4 * 1024 * 1024
const MAX_FRAGMENT_SAMPLES = 1000
/** The sink is waited for whenever so much of the final index was given to it, bytes. */
const DRAIN_EVERY_BYTES = 1024 * 1024

/** What can be set of an MP4 file. */
export interface Mp4Options {
  readonly title?: string
  /** Wall clock, ms since 1970. */
  readonly creationTimeMs?: number
  /** How much media a fragment holds, of whichever track has most of it. */
  readonly fragmentMs?: number
  /**
   * Every keyframe of H.264 and HEVC carries its parameter sets, from the first on: for sources whose pictures change size, so
   * that players can jump back over a change.
   */
  readonly inBandSets?: boolean
}

/**
 * MP4 (ISO 14496-12, -14, -15) that is in fragments while it grows and an ordinary movie once it is finished, without a
 * media byte being moved: `ftyp`, 16 reserved bytes, a header with room to grow, fragments. `finish` appends a full index
 * and then makes one `mdat` of everything between. Whatever instant it is cut off at, what is there plays.
 *
 * Times in the file are those of the frames. Until the first fragment is closed, the file has no header.
 */
export class Mp4Muxer implements Muxer {
  readonly #out: ByteSink
  readonly #options: Mp4Options
  readonly #fragmentMs: number
  readonly #tracks = new Map<number, MuxedTrack>()
  readonly #region: InitRegion
  readonly #scratch = new ByteWriter(16 * 1024)
  #reservedAt = 0
  #bytes = 0
  #samples = 0
  #sequence = 0
  #state: 'new' | 'started' | 'finished' = 'new'

  constructor(out: ByteSink, options: Mp4Options = {}) {
    this.#out = out
    this.#options = options
    this.#fragmentMs = options.fragmentMs ?? DEFAULT_FRAGMENT_MS
    this.#region = new InitRegion(out)
  }

  start(tracks: readonly Track[]): void {
    if (this.#state !== 'new') throw new MisuseError('mp4: started twice')
    this.#state = 'started'
    const head = fileHead()
    this.#out.write(head)
    this.#reservedAt = this.#out.position - RESERVED_BYTES
    for (const track of tracks) this.add(track)
  }

  /**
   * Late tracks, as long as the header has room. New configurations where every player can follow: of video in the same
   * codec (their keyframes then carry the parameter sets too, also where the header has no room for more sample entries),
   * of sound only those that change nothing.
   */
  accepts(track: Track): boolean {
    if (this.#state === 'finished') return false
    try {
      const known = this.#tracks.get(track.id)
      if (known === undefined) return this.#region.fits(this.#expectedHeaderBytes(new MuxedTrack(track, 0)))
      return known.continuesAs(track) && (this.#hasRoom(known, track) || track.kind === 'video')
    } catch (error) {
      if (error instanceof TapedeckError) return false
      throw error
    }
  }

  /** @throws UnsupportedError or MalformedError when MP4 cannot describe the track */
  add(track: Track): void {
    this.#expectStarted()
    const known = this.#tracks.get(track.id)
    if (known === undefined) {
      const { inBandSets = false } = this.#options
      this.#tracks.set(track.id, new MuxedTrack(track, fromMs(this.#fragmentMs, track.timescale), inBandSets))
    } else if (known.continuesAs(track)) {
      known.announce(track, !this.#hasRoom(known, track))
    } else {
      throw new MisuseError(`mp4: track ${track.id} cannot go on with that configuration; ask accepts() first`)
    }
  }

  /** For a sample entry of `track`. @throws as `makeSampleEntry` */
  #hasRoom(known: MuxedTrack, track: Track): boolean {
    return this.#region.fits(this.#expectedHeaderBytes() + known.growthBytes(track))
  }

  write(frame: Frame): void {
    this.#expectStarted()
    const track = this.#tracks.get(frame.track.id)
    if (track === undefined) throw new MisuseError(`mp4: a frame of track ${frame.track.id}, which was not announced`)
    if (this.#isDue(track, frame)) this.#closeFragment({ track, dts: frame.dts })
    if (frame.track !== track.current || track.description === 0) track.become(frame)
    this.#bytes += track.gather(frame)
    this.#samples++
  }

  /** Closes the fragment that is being gathered. */
  flush(): void {
    if (this.#state === 'started') this.#closeFragment(undefined)
  }

  /** Closes the last fragment, appends the index, and makes the file an ordinary one. Without a frame nothing is done. */
  async finish(chapters: readonly Chapter[] = []): Promise<void> {
    this.#expectStarted()
    this.#closeFragment(undefined)
    this.#state = 'finished'
    const out = this.#out
    const mediaEnd = out.position
    if (this.#sequence === 0) return
    await out.drain()
    let undrained = 0
    for (const piece of movieIndex({ ...this.#options, chapters }, this.#indexedTracks())) {
      out.write(piece)
      undrained += piece.length
      if (undrained < DRAIN_EVERY_BYTES) continue
      undrained = 0
      await out.drain()
    }
    out.sync()
    out.patch(this.#reservedAt, mediaHead(mediaEnd - this.#reservedAt))
    await out.drain()
  }

  /** Whether the fragment being gathered ends before `frame`. */
  #isDue(track: MuxedTrack, frame: Frame): boolean {
    if (this.#samples === 0) return false
    if (this.#bytes >= MAX_FRAGMENT_BYTES || this.#samples >= MAX_FRAGMENT_SAMPLES) return true
    const { frames } = track
    if (frames.length === 0) return false
    return frame.track !== track.current || frame.dts - frames[0].dts >= track.fragmentTicks
  }

  #closeFragment(next: NextFrame | undefined): void {
    if (this.#samples === 0) return
    const tracks = [...this.#tracks.values()].filter(({ frames }) => frames.length > 0)
    this.#refreshHeader(tracks)
    for (const track of tracks) track.logFrames()
    const scratch = this.#scratch
    scratch.clear()
    writeFragmentHead(scratch, ++this.#sequence, tracks, this.#bytes, next)
    this.#out.write(scratch.view())
    for (const track of tracks) track.writeFrames(this.#out)
    this.#bytes = 0
    this.#samples = 0
  }

  /** Writes the header before the first fragment, and again where a track or an entry has come since. */
  #refreshHeader(tracks: readonly MuxedTrack[]): void {
    let isStale = !this.#region.isWritten
    for (const track of tracks) {
      track.settle()
      isStale ||= track.isStale
    }
    if (!isStale) return
    const expected = this.#region.isWritten ? 0 : this.#expectedHeaderBytes()
    const shown = [...this.#tracks.values()].filter(({ description }) => description > 0)
    this.#region.put(this.#header(shown.map((track) => track.facts('shown'))), expected)
    for (const track of tracks) track.isStale = false
  }

  /** How large the header will be once every announced track and entry has shown up, and `late` with them. */
  #expectedHeaderBytes(late?: MuxedTrack): number {
    const tracks = [...this.#tracks.values()]
    if (late !== undefined) tracks.push(late)
    return this.#header(tracks.map((track) => track.facts('announced'))).length
  }

  #header(tracks: readonly FragmentedTrack[]): Uint8Array {
    const out = new ByteWriter(2048)
    const movie: MovieFacts = {
      ...this.#options,
      timescale: movieTimescale(tracks.map(({ timescale }) => timescale)),
      durationTicks: 0,
      nextTrackId: tracks.reduce((highest, { id }) => Math.max(highest, id), 0) + 1,
    }
    writeInitMovie(out, movie, tracks)
    return out.view()
  }

  #indexedTracks(): IndexedTrack[] {
    return [...this.#tracks.values()].map((track) => ({ ...track.facts('shown'), log: track.log }))
  }

  #expectStarted(): void {
    if (this.#state !== 'started') throw new MisuseError(`mp4: used while ${this.#state}, not between start and finish`)
  }
}
