import { isKeyframe } from '../codec/keyframe.ts'
import { describeTrack, refineTrack } from '../codec/track.ts'
import { canHold, createMuxer, formatOfPath } from '../container/formats.ts'
import type { Format } from '../container/reader.ts'
import { Arena } from '../media/arena.ts'
import { toMs } from '../media/clock.ts'
import { MisuseError, UnsupportedError } from '../media/errors.ts'
import { Frame } from '../media/frame.ts'
import type { Muxer } from '../media/ports.ts'
import type { Track } from '../media/track.ts'
import { DiskStorage } from '../storage/disk.ts'
import type { OutputFile } from '../storage/ports.ts'
import { BacklogError, MAX_BACKLOG_BYTES } from './backlog.ts'
import { parseOptions } from './options.ts'
import {
  type AudioTrackOptions,
  audioTrackSchema,
  type FileMuxerOptions,
  fileMuxerSchema,
  type VideoTrackOptions,
  videoTrackSchema,
} from './track-options.ts'

/** What is gathered goes to the disk at least this often, ms. */
const FLUSH_INTERVAL_MS = 900
/** Tracks of one file: a bound, not a goal. */
const MAX_TRACKS = 64

/** When a sample is decoded and shown, ticks of its track's timescale, from 0. */
export interface SampleTimes {
  readonly dts: number
  /** The same as `dts` when absent: pictures are shown in the order they come. */
  readonly pts?: number
}

/** Numbers of one file. */
export interface FileStats {
  readonly format: Format
  readonly videoFrames: number
  readonly audioFrames: number
  /** From 0 to the beginning of the last sample, ms. */
  readonly durationMs: number
  readonly sizeBytes: number
  /** Accepted but not yet given to the operating system, bytes. */
  readonly backlogBytes: number
}

/**
 * One MP4, FLV or Matroska file made by hand: tracks, samples with their times, `finalize`. The file is new, 0600, and
 * plays at every moment, whatever becomes of the process.
 *
 * Samples are what they are in MP4: H.264 and HEVC as length-prefixed NAL units, AAC without ADTS (see `Frame.data`).
 * `VideoRecorder` takes other forms and cleans times as well.
 */
export class FileMuxer {
  readonly path: string
  readonly format: Format
  readonly #file: OutputFile
  readonly #muxer: Muxer
  readonly #arena = new Arena()
  readonly #tracks: Track[] = []
  /** By track id. */
  readonly #lastDts: number[] = []
  readonly #timer: NodeJS.Timeout
  #started = false
  #dirty = false
  #videoFrames = 0
  #audioFrames = 0
  #endMs = 0
  #ended: Promise<FileStats> | undefined

  private constructor(path: string, format: Format, file: OutputFile, options: FileMuxerOptions) {
    this.path = path
    this.format = format
    this.#file = file
    const title = options.title === undefined ? {} : { title: options.title }
    this.#muxer = createMuxer(format, file, { ...title, creationTimeMs: options.creationTimeMs ?? Date.now() })
    this.#timer = setInterval(() => this.#flush(), FLUSH_INTERVAL_MS).unref()
  }

  /**
   * @throws OptionsError when an option cannot be used
   * @throws UnsupportedError when neither `format` nor the extension says what to make
   * @throws StorageError when the file cannot be made, FileExistsError when it is there
   */
  static async open(path: string, options: FileMuxerOptions = {}): Promise<FileMuxer> {
    const checked = parseOptions('FileMuxer.open', fileMuxerSchema, options)
    const format = checked.format ?? formatOfPath(path)
    if (format === undefined) {
      throw new UnsupportedError(
        `${path}: no format is known by this extension; use .mp4 .flv .mkv .webm .ogg, or give "format"`,
      )
    }
    const file = await new DiskStorage({ fsync: checked.fsync }).create(path)
    return new FileMuxer(path, format, file, options)
  }

  /** In the order they were added, in their present configuration. */
  get tracks(): readonly Track[] {
    return this.#tracks
  }

  /** Adds a track and returns its id. Also after the first samples, where the container can. */
  addVideoTrack(options: VideoTrackOptions): number {
    const { width, height, ...origin } = parseOptions('addVideoTrack', videoTrackSchema, options)
    const track = describeTrack({ ...origin, id: this.#tracks.length + 1, epoch: 0 })
    if (track.kind !== 'video') throw new MisuseError(`${track.codec} is no video codec`)
    const size = track.width > 0 ? {} : { width: width ?? 0, height: height ?? 0 }
    return this.#add({ ...track, ...size })
  }

  /** Adds a track and returns its id. Also after the first samples, where the container can. */
  addAudioTrack(options: AudioTrackOptions): number {
    const origin = parseOptions('addAudioTrack', audioTrackSchema, options)
    const { sampleRateHz = 0, channels = 0, timescale = sampleRateHz || 1000 } = origin
    const track = describeTrack({ ...origin, timescale, id: this.#tracks.length + 1, epoch: 0 })
    if (track.kind !== 'audio') throw new MisuseError(`${track.codec} is no audio codec`)
    const sound = track.sampleRateHz > 0 ? {} : { sampleRateHz, channels }
    return this.#add({ ...track, ...sound })
  }

  /**
   * A new configuration of a track: its next samples need it.
   * @throws UnsupportedError when this container cannot go on with it: begin a new file
   */
  reconfigure(trackId: number, config: Uint8Array): void {
    const { id, epoch, timescale, codec } = this.#track(trackId)
    this.#announce(describeTrack({ id, epoch: epoch + 1, timescale, codec, config }))
  }

  /**
   * Takes one picture; `data` is copied. `key` is told from the bitstream when absent.
   * @throws MisuseError for an unknown track, a dts that does not grow, or after the end
   * @throws BacklogError when more than 64 MiB wait: this sample was not taken
   * @throws StorageError when the file has failed
   */
  writeVideoSample(trackId: number, data: Uint8Array, times: SampleTimes & { readonly key?: boolean }): void {
    const track = this.#refined(trackId, data)
    this.#write(track, data, times, times.key ?? isKeyframe(track, data))
    this.#videoFrames++
  }

  /** Takes one packet of sound; `data` is copied. Throws like `writeVideoSample`. */
  writeAudioSample(trackId: number, data: Uint8Array, times: SampleTimes): void {
    this.#write(this.#refined(trackId, data), data, times, true)
    this.#audioFrames++
  }

  /** Resolves when what waits to be written is little again. @throws StorageError */
  drain(): Promise<void> {
    return this.#file.drain()
  }

  /** Completes the file: index, duration, seekability. Idempotent. @throws StorageError */
  finalize(): Promise<FileStats> {
    this.#ended ??= this.#finish()
    return this.#ended
  }

  /** Gives up: what the file holds so far stays, playable. Never throws. */
  async abort(): Promise<void> {
    clearInterval(this.#timer)
    this.#ended ??= this.#file.abort().then(() => this.getStats())
    await this.#ended.catch(() => undefined)
  }

  getStats(): FileStats {
    return {
      format: this.format,
      videoFrames: this.#videoFrames,
      audioFrames: this.#audioFrames,
      durationMs: this.#endMs,
      sizeBytes: this.#file.position,
      backlogBytes: this.#file.backlogBytes,
    }
  }

  #add(track: Track): number {
    if (this.#ended !== undefined) throw new MisuseError(`${this.path}: track after finalize`)
    if (this.#tracks.length >= MAX_TRACKS) throw new MisuseError(`${this.path}: more than ${MAX_TRACKS} tracks`)
    if (!canHold(this.format, track.codec)) {
      throw new UnsupportedError(`${this.format} cannot hold ${track.codec}; Matroska (.mkv) holds most`)
    }
    if (this.#started && !this.#muxer.accepts(track)) {
      throw new UnsupportedError(`${this.path}: no room for another track; add all tracks before the first sample`)
    }
    this.#tracks.push(track)
    if (this.#started) this.#muxer.add(track)
    return track.id
  }

  #track(trackId: number): Track {
    const track = this.#tracks[trackId - 1]
    if (track === undefined) throw new MisuseError(`${this.path}: there is no track ${trackId}`)
    return track
  }

  /** The track as `data` shows it to be, where its codec says so in frames. */
  #refined(trackId: number, data: Uint8Array): Track {
    const track = this.#track(trackId)
    const refined = refineTrack(track, data)
    if (refined === track) return track
    if (this.#started) this.#announce(refined)
    else this.#tracks[trackId - 1] = refined
    return refined
  }

  #announce(track: Track): void {
    if (this.#started && !this.#muxer.accepts(track)) {
      throw new UnsupportedError(
        `${this.path}: cannot go on with a new configuration of ${track.codec}; begin a new file`,
      )
    }
    this.#tracks[track.id - 1] = track
    if (this.#started) this.#muxer.add(track)
  }

  #write(track: Track, data: Uint8Array, { dts, pts = dts }: SampleTimes, key: boolean): void {
    this.#check(track, dts, pts)
    if (!this.#started) {
      this.#muxer.start(this.#tracks)
      this.#started = true
    }
    const block = this.#arena.copy(data)
    const view = block.bytes.subarray(this.#arena.start, this.#arena.start + data.length)
    try {
      this.#muxer.write(new Frame(track, dts, pts, key, view, block))
    } finally {
      block.release()
    }
    this.#file.commit()
    this.#dirty = true
    this.#lastDts[track.id] = dts
    this.#endMs = Math.max(this.#endMs, toMs(pts, track.timescale))
  }

  #check(track: Track, dts: number, pts: number): void {
    if (this.#ended !== undefined) throw new MisuseError(`${this.path}: sample after finalize`)
    if (this.#file.failure !== undefined) throw this.#file.failure
    if (this.#file.backlogBytes > MAX_BACKLOG_BYTES) throw new BacklogError(this.path, this.#file.backlogBytes)
    const last = this.#lastDts[track.id] ?? -1
    if (!Number.isSafeInteger(dts) || !Number.isSafeInteger(pts)) {
      throw new MisuseError(`${this.path}: track ${track.id}: times are whole ticks, not dts ${dts}, pts ${pts}`)
    }
    if (dts > last) return
    const where = `${this.path}: track ${track.id}`
    throw new MisuseError(
      last < 0
        ? `${where}: times begin at 0, not at dts ${dts}`
        : `${where}: dts ${dts} does not come after ${last}; pictures shown out of order need a dts of their own`,
    )
  }

  #flush(): void {
    if (!this.#dirty || this.#ended !== undefined) return
    this.#dirty = false
    this.#muxer.flush()
    this.#file.commit()
    this.#file.flush()
  }

  async #finish(): Promise<FileStats> {
    clearInterval(this.#timer)
    this.#arena.close()
    try {
      if (!this.#started) this.#muxer.start(this.#tracks)
      await this.#muxer.finish()
      this.#file.commit()
    } catch (error) {
      await this.#file.abort()
      throw this.#file.failure ?? error
    }
    await this.#file.close()
    return this.getStats()
  }
}
