import { isKeyframe } from '../codec/keyframe.ts'
import { frameDurationTicks } from '../codec/samples.ts'
import { MisuseError } from '../media/errors.ts'
import { Frame } from '../media/frame.ts'
import type { Track } from '../media/track.ts'
import { Timeline } from '../recorder/timeline.ts'
import { sourceUs } from '../recorder/track-clock.ts'
import { feedAudio } from './audio-feed.ts'
import { FileMuxer, type FileStats } from './file-muxer.ts'
import { type FrameTimes, ticks } from './frame-times.ts'
import { parseOptions } from './options.ts'
import { SELF_DESCRIBING } from './track-options.ts'
import { feedVideo, lengthSizeOf } from './video-feed.ts'
import { type VideoRecorderOptions, videoRecorderSchema } from './video-recorder-options.ts'

/** Numbers of one recording. */
export interface VideoRecorderStats extends FileStats {
  /** Left out: before the first keyframe, or without a configuration. */
  readonly skippedFrames: number
  /** Times of the source that went back or far ahead, and were healed. */
  readonly jumps: number
}

type Options = ReturnType<typeof parseOptions<typeof videoRecorderSchema>>

/**
 * Encoded frames in, one file out: finds the first keyframe, starts picture and sound from a common zero, takes Annex B as
 * well as length-prefixed H.264 and HEVC, AAC raw or as ADTS. Lives once: `open`, frames, then `finalize` or `abort`.
 *
 * Buffers are copied: they may be used again as soon as a call returns.
 */
export class VideoRecorder {
  readonly #muxer: FileMuxer
  readonly #options: Options
  readonly #timeline: Timeline
  #video: Track | undefined
  #audio: Track | undefined
  /** As the media brought it along. */
  #audioConfig: Uint8Array | undefined
  #begun = false
  #skipped = 0

  private constructor(muxer: FileMuxer, options: Options) {
    this.#muxer = muxer
    this.#options = options
    this.#timeline = new Timeline({ jumpMs: options.jumpMs })
  }

  /** Throws like `FileMuxer.open`. */
  static async open(path: string, options: VideoRecorderOptions): Promise<VideoRecorder> {
    const { video, audio, jumpMs, ...file } = parseOptions('VideoRecorder.open', videoRecorderSchema, options)
    return new VideoRecorder(await FileMuxer.open(path, file), { video, audio, jumpMs, ...file })
  }

  get path(): string {
    return this.#muxer.path
  }

  /**
   * Takes one access unit. `key` is told from the bitstream when absent.
   * Returns false when it was left out: no keyframe, or no configuration, has come yet.
   * @throws MalformedError when `data` is not of the codec
   * @throws UnsupportedError when a new configuration needs a new file
   * @throws MisuseError without `video` in the options, or after the end
   * @throws BacklogError when more than 64 MiB wait, StorageError when the file has failed
   */
  writeFrame(data: Uint8Array, times: FrameTimes & { readonly key?: boolean }): boolean {
    const { video } = this.#options
    if (video === undefined) throw new MisuseError(`${this.path}: a video frame, but open() was told of no video`)
    const fed = feedVideo(video.codec, data, lengthSizeOf(this.#video ?? video))
    const track = this.#videoTrack(fed.config)
    if (track === undefined) return this.#skip()
    const key = times.key ?? isKeyframe(track, fed.data)
    const frame = new Frame(track, ...ticks(times, track.timescale), key, fed.data)
    if (key) this.#begin(frame)
    const placed = this.#begun ? this.#timeline.place(frame) : undefined
    if (placed === undefined) return this.#skip()
    this.#muxer.writeVideoSample(track.id, placed.data, { dts: placed.dts, pts: placed.pts, key })
    this.#timeline.touch()
    return true
  }

  /**
   * Takes one packet of sound, or several of AAC in ADTS, the first at `times`.
   * Returns false when nothing of it was kept: the first picture has not come, or it lies before that.
   * Throws like `writeFrame`.
   */
  writeAudio(data: Uint8Array, times: FrameTimes): boolean {
    const { audio, video } = this.#options
    if (audio === undefined) throw new MisuseError(`${this.path}: sound, but open() was told of no audio`)
    const fed = feedAudio(audio.codec, data)
    this.#audioConfig ??= fed.config
    if (video !== undefined && !this.#begun) return this.#skip() // the picture comes first, as track and in time
    const track = this.#audioTrack()
    if (track === undefined) return this.#skip()
    let [dts] = ticks(times, track.timescale)
    let kept = false
    for (const packet of fed.packets) {
      const frame = new Frame(track, dts, dts, true, packet)
      if (video === undefined) this.#begin(frame)
      const placed = this.#begun ? this.#timeline.place(frame) : undefined
      if (placed === undefined) this.#skip()
      else {
        this.#muxer.writeAudioSample(track.id, packet, { dts: placed.dts })
        kept = true
      }
      dts += frameDurationTicks(track, packet) ?? 0
    }
    this.#timeline.touch()
    return kept
  }

  /** Resolves when what waits to be written is little again. @throws StorageError */
  drain(): Promise<void> {
    return this.#muxer.drain()
  }

  /** Completes the file. Idempotent. @throws StorageError */
  async finalize(): Promise<VideoRecorderStats> {
    await this.#muxer.finalize()
    return this.getStats()
  }

  /** Gives up: what the file holds so far stays, playable. Never throws. */
  abort(): Promise<void> {
    return this.#muxer.abort()
  }

  getStats(): VideoRecorderStats {
    return { ...this.#muxer.getStats(), skippedFrames: this.#skipped, jumps: this.#timeline.jumps.count }
  }

  #skip(): false {
    this.#skipped++
    return false
  }

  #begin(frame: Frame): void {
    if (this.#begun) return
    this.#begun = true
    this.#timeline.begin(sourceUs(frame))
  }

  #videoTrack(config: Uint8Array | undefined): Track | undefined {
    const { video, audio } = this.#options
    if (video === undefined) return undefined
    if (this.#video === undefined) {
      const known = config ?? video.config
      if (known.length === 0 && !SELF_DESCRIBING.has(video.codec)) return undefined
      this.#video = this.#trackOf(this.#muxer.addVideoTrack({ ...video, config: known }))
      if (audio !== undefined) this.#audioTrack()
    } else if (config !== undefined && Buffer.compare(config, this.#video.config) !== 0) {
      this.#muxer.reconfigure(this.#video.id, config)
      this.#video = this.#trackOf(this.#video.id)
    }
    return this.#video
  }

  #audioTrack(): Track | undefined {
    const { audio } = this.#options
    if (audio === undefined || this.#audio !== undefined) return this.#audio
    const known = this.#audioConfig ?? audio.config
    if (known.length === 0 && !SELF_DESCRIBING.has(audio.codec)) return undefined
    this.#audio = this.#trackOf(this.#muxer.addAudioTrack({ ...audio, config: known }))
    return this.#audio
  }

  #trackOf(id: number): Track | undefined {
    return this.#muxer.tracks.find((track) => track.id === id)
  }
}
