import { refineTrack } from '../../codec/track.ts'
import { MisuseError } from '../../media/errors.ts'
import type { Frame } from '../../media/frame.ts'
import type { ByteSink } from '../../media/ports.ts'
import type { Track } from '../../media/track.ts'
import type { FragmentedTrack } from './init-movie.ts'
import { makeSampleEntry } from './sample-entry.ts'
import { SampleLog } from './sample-log.ts'

/** One configuration of a track, and what `stsd` says of it. */
interface Epoch {
  track: Track
  entry: Uint8Array
  /** Its place in `stsd`, from 1; 0 until its first frame came. */
  description: number
}

/** A track while it is muxed: its configurations, the frames of the fragment that is being gathered, and its samples so far. */
export class MuxedTrack {
  readonly id: number
  readonly log: SampleLog
  readonly fragmentTicks: number
  readonly #epochs: Epoch[] = []
  #current: Epoch
  #descriptions = 0
  #shape: Track
  /** Frames of the fragment being gathered, each held. All of one epoch. */
  readonly frames: Frame[] = []
  /** Added to every dts, ticks: only where a track starts below 0, for media times do not. */
  decodeShift = 0
  /** Added to every composition offset, ticks: only where frames are shown before they are decoded. */
  reorderShift = 0
  #isSettled = false
  /** The header in the file does not say what it should of this track. */
  isStale = false

  /** `fragmentTicks`: how much media of this track makes a fragment. */
  constructor(track: Track, fragmentTicks: number) {
    this.id = track.id
    this.fragmentTicks = fragmentTicks
    this.log = new SampleLog(track.timescale)
    this.#shape = track
    this.#current = this.announce(track)
  }

  /** Track of the frames that are being gathered. */
  get current(): Track {
    return this.#current.track
  }
  /** Sample entry of the frames that are being gathered, from 1. */
  get description(): number {
    return this.#current.description
  }

  /** Whether `track` may be the next configuration of this one. */
  continuesAs(track: Track): boolean {
    const { kind, codec, timescale } = this.#shape
    return track.kind === kind && track.codec === codec && track.timescale === timescale
  }

  /** @throws UnsupportedError and MalformedError as `makeSampleEntry` */
  announce(track: Track): Epoch {
    const known = this.#epochs.find((epoch) => epoch.track.epoch === track.epoch)
    if (known !== undefined) return known
    const epoch = { track, entry: makeSampleEntry(track), description: 0 }
    this.#epochs.push(epoch)
    return epoch
  }

  /** The frame's epoch is now the current one. @throws MisuseError when it was not announced */
  become(frame: Frame): void {
    const epoch = this.#epochs.find((known) => known.track.epoch === frame.track.epoch)
    if (epoch === undefined) {
      throw new MisuseError(`mp4: track ${this.id}, epoch ${frame.track.epoch}: a frame came before its announcement`)
    }
    if (epoch.description === 0 || epoch.track !== frame.track) {
      epoch.entry = makeSampleEntry(frame.track, frame.data)
      epoch.track = frame.track
      this.isStale = true
    }
    if (epoch.description === 0) epoch.description = ++this.#descriptions
    if (this.log.sampleCount === 0) this.#shape = refineTrack(frame.track, frame.data)
    this.#current = epoch
  }

  /** The first frames are here: how far must times be shifted so that the container can hold them? */
  settle(): void {
    if (this.#isSettled) return
    this.#isSettled = true
    this.decodeShift = Math.max(0, -this.frames[0].dts)
    for (const { dts, pts } of this.frames) this.reorderShift = Math.max(this.reorderShift, dts - pts)
  }

  logFrames(): void {
    for (let i = 0; i < this.frames.length; i++) {
      const { dts, pts, key, data } = this.frames[i]
      this.log.add(dts, pts, key, data.length)
    }
  }

  /** Appends the data of what was gathered, notes where it lies, and lets go of it. */
  writeFrames(out: ByteSink): void {
    const { frames } = this
    this.log.chunk(out.position, frames.length, this.description)
    for (let i = 0; i < frames.length; i++) {
      out.write(frames[i].data, frames[i].block)
      frames[i].release()
    }
    frames.length = 0
  }

  /** What a header says of this track: of what frames have shown, or, to reckon its size, of everything announced. */
  facts(scope: 'shown' | 'announced'): FragmentedTrack {
    const { id, kind, timescale, label, language } = this.#shape
    const epochs = scope === 'shown' ? this.#epochs.filter(({ description }) => description > 0) : this.#epochs
    const size = this.#shape.kind === 'video' ? this.#shape : { width: 0, height: 0 }
    return {
      id,
      kind,
      timescale,
      width: size.width,
      height: size.height,
      ...(label === undefined ? {} : { label }),
      ...(language === undefined ? {} : { language }),
      entries: epochs.toSorted((a, b) => a.description - b.description).map(({ entry }) => entry),
      leadTicks: scope === 'shown' ? this.decodeShift + this.reorderShift : 1,
    }
  }
}
