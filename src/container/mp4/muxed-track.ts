import { refineTrack } from '../../codec/track.ts'
import { MisuseError } from '../../media/errors.ts'
import type { Frame } from '../../media/frame.ts'
import type { ByteSink } from '../../media/ports.ts'
import type { Track } from '../../media/track.ts'
import { canFollow, InBandSets } from '../epoch-change.ts'
import type { FragmentedTrack } from './init-movie.ts'
import { makeSampleEntry } from './sample-entry.ts'
import { SampleLog } from './sample-log.ts'

/** A configuration of a track that was announced. */
interface Epoch {
  track: Track
  /** What `stsd` will say of it, as far as that is known before its first frame. */
  readonly draft: Uint8Array
  /** Its sample entry, from 1; 0 until its first frame came. */
  description: number
  /** `stsd` has no room for an entry of its own: it goes by the last one, and its frames say what that does not. */
  readonly isGuest: boolean
}

/** A track while it is muxed: its configurations, the frames of the fragment that is being gathered, and its samples so far. */
export class MuxedTrack {
  readonly id: number
  readonly log: SampleLog
  readonly fragmentTicks: number
  /** Sample entries of configurations that frames have shown, in the order of `stsd`. */
  readonly #entries: Uint8Array[] = []
  #epochs: Epoch[] = []
  #current: Epoch
  #shape: Track
  /** Frames of the fragment being gathered, each held. All of one epoch. */
  readonly frames: Frame[] = []
  /** Added to every dts, ticks: only where a track starts below 0, for media times do not. */
  decodeShift = 0
  /** Added to every composition offset, ticks: only where frames are shown before they are decoded. */
  reorderShift = 0
  #isSettled = false
  #inBandSets: InBandSets | undefined
  /** From now on: something has changed, or was said to be going to. */
  #needsInBandSets: boolean
  /** The header in the file does not say what it should of this track. */
  isStale = false

  /** `fragmentTicks`: how much media of this track makes a fragment; `inBandSets`: in every keyframe, from the first on. */
  constructor(track: Track, fragmentTicks: number, inBandSets = false) {
    this.#needsInBandSets = inBandSets
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
    return canFollow(this.#shape, track)
  }

  /** How many bytes the header may grow by when `track` comes. @throws as `makeSampleEntry` */
  growthBytes(track: Track): number {
    const draft = makeSampleEntry(track)
    return this.#entryLike(draft) > 0 ? 0 : draft.length
  }

  /** `isGuest`: without a sample entry of its own. @throws UnsupportedError and MalformedError as `makeSampleEntry` */
  announce(track: Track, isGuest = false): Epoch {
    const known = this.#epochs.find((epoch) => epoch.track.epoch === track.epoch)
    if (known !== undefined) return known
    const epoch = { track, draft: makeSampleEntry(track), description: 0, isGuest }
    this.#epochs.push(epoch)
    return epoch
  }

  /** The frame's epoch is now the current one. @throws MisuseError when it was not announced */
  become(frame: Frame): void {
    const { track } = frame
    const epoch = this.#epochs.find((known) => known.track.epoch === track.epoch)
    if (epoch === undefined) {
      throw new MisuseError(`mp4: track ${this.id}, epoch ${track.epoch}: a frame came before its announcement`)
    }
    if (epoch.description === 0 || epoch.track !== track) this.#describe(epoch, frame)
    if (this.log.sampleCount === 0) this.#shape = refineTrack(track, frame.data)
    this.#current = epoch
    this.#epochs = this.#epochs.filter((other) => other.track.epoch >= track.epoch)
    this.#needsInBandSets ||= this.#entries.length > 1
    this.#inBandSets = this.#needsInBandSets ? InBandSets.of(track) : undefined
  }

  /** Now that a frame of it is here, the sample entry can be made; one that is there already serves again. */
  #describe(epoch: Epoch, frame: Frame): void {
    const entry = makeSampleEntry(frame.track, frame.data)
    epoch.track = frame.track
    epoch.description = this.#entryLike(entry)
    if (epoch.description > 0) return
    if (epoch.isGuest && this.#entries.length > 0) {
      this.#needsInBandSets = true
      epoch.description = this.#entries.length
      return
    }
    epoch.description = this.#entries.push(entry)
    this.isStale = true
  }

  /** Number of the entry that equals `entry`; 0 when there is none. */
  #entryLike(entry: Uint8Array): number {
    return this.#entries.findIndex((other) => Buffer.compare(other, entry) === 0) + 1
  }

  /** Holds a frame of the current epoch for the fragment being gathered. Returns how many bytes it takes. */
  gather(frame: Frame): number {
    const kept = this.#inBandSets === undefined ? frame : this.#inBandSets.into(frame)
    kept.retain()
    this.frames.push(kept)
    return kept.data.length
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
    const expected = this.#epochs
      .filter(({ description, isGuest }) => description === 0 && !isGuest)
      .map(({ draft }) => draft)
    const size = this.#shape.kind === 'video' ? this.#shape : { width: 0, height: 0 }
    return {
      id,
      kind,
      timescale,
      width: size.width,
      height: size.height,
      ...(label === undefined ? {} : { label }),
      ...(language === undefined ? {} : { language }),
      entries: scope === 'shown' ? this.#entries : [...this.#entries, ...expected],
      leadTicks: scope === 'shown' ? this.decodeShift + this.reorderShift : 1,
    }
  }
}
