import { toMs } from '../../media/clock.ts'
import { MalformedError, TapedeckError } from '../../media/errors.ts'
import type { ByteSource } from '../../media/ports.ts'
import type { Track } from '../../media/track.ts'
import type { ContainerReader, Fault, Sample } from '../reader.ts'
import { noteFault } from './faults.ts'
import { readFragment, runSamples, type TrackEnds } from './fragment-reader.ts'
import { type Fragment, FragmentScan } from './fragment-scan.ts'
import { findLayout, type Layout } from './layout.ts'
import { type Movie, type MovieTrack, readMovie } from './movie-reader.ts'
import { SourceWindow } from './source-window.ts'
import { openTables, type TableReader } from './table-reader.ts'

/**
 * Opens an MP4: ordinary, in fragments, still growing, or torn.
 * @throws MalformedError when there is no header yet, or it cannot be read
 */
export async function openMp4(source: ByteSource): Promise<Mp4Reader> {
  const faults: Fault[] = []
  const window = new SourceWindow(source)
  const layout = await findLayout(window, faults)
  if (layout === undefined) {
    throw new MalformedError('mp4', 'no header: not an MP4, or one that was cut off before its first half second')
  }
  const movie = await readMovie(window, layout.moov, faults)
  return new Mp4Reader(window, layout, movie, faults)
}

/**
 * An MP4 file, opened for looking. Times are those of the presentation: the edit list's pause and beginning are taken
 * into account, further edits are not.
 */
export class Mp4Reader implements ContainerReader {
  readonly format = 'mp4'
  readonly #window: SourceWindow
  readonly #layout: Layout
  readonly #movie: Movie
  readonly #faults: Fault[]
  /** One per track, in its first configuration; samples carry the later ones. */
  readonly tracks: readonly Track[]

  constructor(window: SourceWindow, layout: Layout, movie: Movie, faults: Fault[]) {
    this.#window = window
    this.#layout = layout
    this.#movie = movie
    this.#faults = faults
    this.tracks = movie.tracks.map(({ epochs }) => epochs[0])
  }

  get statedDurationMs(): number | undefined {
    const { durationTicks, timescale } = this.#movie
    return durationTicks === 0 ? undefined : toMs(durationTicks, timescale)
  }
  get finalised(): boolean {
    return !this.#movie.hasFragments
  }
  get title(): string | undefined {
    return this.#movie.title
  }
  /** Wall clock, ms since 1970. */
  get creationTimeMs(): number | undefined {
    return this.#movie.creationTimeMs
  }
  get faults(): readonly Fault[] {
    return this.#faults
  }

  async *samples(): AsyncGenerator<Sample> {
    yield* this.#tableSamples()
    if (this.#movie.hasFragments) yield* this.#fragmentSamples()
  }

  /** Samples of all tracks, merged by where their chunks lie. */
  async *#tableSamples(): AsyncGenerator<Sample> {
    const tables: TableReader[] = []
    for (const track of this.#movie.tracks) {
      try {
        const table = await openTables(this.#window, track)
        if (table !== undefined && (await table.nextChunk())) tables.push(table)
      } catch (error) {
        this.#caught(error, 'bad-table')
      }
    }
    while (tables.length > 0) {
      const table = tables.reduce((first, other) => (other.nextOffset < first.nextOffset ? other : first))
      let more = false
      try {
        yield* this.#chunkSamples(table)
        more = await table.nextChunk()
      } catch (error) {
        this.#caught(error, 'bad-table')
      }
      if (!more) tables.splice(tables.indexOf(table), 1)
    }
  }

  async *#chunkSamples(table: TableReader): AsyncGenerator<Sample> {
    const { epochs, shiftTicks } = table.track
    const track = epochs[table.description - 1] ?? epochs[0]
    while (await table.nextSample()) {
      const { dts, pts, key, offset, size } = table
      if (offset + size > this.#window.sizeBytes) this.#note('torn-tail', offset, 'samples beyond the end of the file')
      else yield { track, dts: dts + shiftTicks, pts: pts + shiftTicks, key, offset, size }
    }
  }

  async *#fragmentSamples(): AsyncGenerator<Sample> {
    const scan = new FragmentScan(this.#window, this.#layout.moov.endOffset, this.#faults)
    const tracks = new Map(this.#movie.tracks.map((track) => [track.id, track]))
    const ends: TrackEnds = new Map()
    for (let fragment = await scan.next(); fragment !== undefined; fragment = await scan.next()) {
      yield* this.#samplesOf(fragment, tracks, ends)
    }
  }

  *#samplesOf(fragment: Fragment, tracks: ReadonlyMap<number, MovieTrack>, ends: TrackEnds): Generator<Sample> {
    try {
      for (const run of readFragment(fragment, tracks, ends, this.#window.sizeBytes)) {
        const { epochs, shiftTicks } = run.track
        const track = epochs[run.defaults.description - 1] ?? epochs[0]
        for (const { dts, pts, key, offset, size } of runSamples(run)) {
          yield { track, dts: dts + shiftTicks, pts: pts + shiftTicks, key, offset, size }
        }
      }
    } catch (error) {
      this.#caught(error, 'bad-fragment', fragment.offset)
    }
  }

  /** What is wrong with the file becomes a fault; anything else goes on. */
  #caught(error: unknown, kind: string, offset = this.#layout.moov.offset): void {
    if (!(error instanceof TapedeckError)) throw error
    noteFault(this.#faults, kind, offset, error.message)
  }

  /** One fault of a kind is enough. */
  #note(kind: string, offset: number, message: string): void {
    if (!this.#faults.some((fault) => fault.kind === kind)) noteFault(this.#faults, kind, offset, message)
  }
}
