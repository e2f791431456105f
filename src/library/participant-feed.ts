import { z } from 'zod'
import { isKeyframe } from '../codec/keyframe.ts'
import { frameDurationTicks } from '../codec/samples.ts'
import { describeTrack, refineTrack } from '../codec/track.ts'
import { streamAddress } from '../live/address.ts'
import type { Hub } from '../live/hub.ts'
import type { LiveStream, StreamAddress } from '../live/stream.ts'
import { Arena } from '../media/arena.ts'
import { MisuseError } from '../media/errors.ts'
import { Frame } from '../media/frame.ts'
import type { Track } from '../media/track.ts'
import { feedAudio } from './audio-feed.ts'
import { type FrameTimes, ticks } from './frame-times.ts'
import { parseOptions } from './options.ts'
import { audioTrackSchema, SELF_DESCRIBING, videoTrackSchema } from './track-options.ts'
import { feedVideo, lengthSizeOf } from './video-feed.ts'

const timescale = z.number().int().min(1).max(1_000_000_000).default(1000)
const feedSchema = z
  .object({
    video: videoTrackSchema.extend({ timescale }).optional(),
    audio: audioTrackSchema.extend({ timescale }).optional(),
  })
  .refine(({ video, audio }) => video !== undefined || audio !== undefined, 'give "video", "audio", or both')

/**
 * What a participant will send: `video: { codec }`, `audio: { codec }`, each with `config` where the media does not bring it
 * along (H.264, HEVC and AV1 do in their keyframes, AAC as ADTS), and the `timescale` of its times, 1000 by default.
 */
export type ParticipantOptions = z.input<typeof feedSchema>

const VIDEO_ID = 1
const AUDIO_ID = 2
/**
 * One participant of a room whose media a program hands over: access units and packets in, as from any other publisher. Lives
 * once; `end` when it leaves. Buffers are copied: they may be used again as soon as a call returns.
 */
export class ParticipantFeed {
  readonly #stream: LiveStream
  readonly #options: z.output<typeof feedSchema>
  readonly #arena = new Arena()
  #video: Track | undefined
  #audio: Track | undefined

  /**
   * Publishes in `hub`, where everybody sees it from now on.
   * @throws OptionsError, BadNameError, NameBusyError, LimitError
   */
  constructor(hub: Hub, room: string, participant: string, options: ParticipantOptions) {
    this.#options = parseOptions('participant', feedSchema, options)
    this.#stream = hub.publish(streamAddress(room, participant), {
      source: 'embedded',
      disconnect: () => this.#arena.close(),
    })
  }

  get address(): StreamAddress {
    return this.#stream.address
  }
  /** It left, or was sent away: what is written now goes nowhere. */
  get isEnded(): boolean {
    return this.#stream.ended !== undefined
  }
  /** Recordings cannot keep up with the disk: whoever can wait, should. Whoever cannot loses whole GOPs at some point, counted. */
  get isCongested(): boolean {
    return this.#stream.congested
  }

  /**
   * Takes one access unit. `key` is told from the bitstream when absent. Returns false when it was left out because no
   * configuration has come yet.
   * @throws MalformedError when `data` is not of the codec
   * @throws MisuseError without `video` in the options
   */
  writeVideo(data: Uint8Array, times: FrameTimes & { readonly key?: boolean }): boolean {
    const { video } = this.#options
    if (video === undefined) throw new MisuseError(`${this.#name}: a video frame, but no video was announced`)
    if (this.isEnded) return false
    const fed = feedVideo(video.codec, data, lengthSizeOf(this.#video ?? video))
    this.#video = this.#announce(this.#video, { ...video, id: VIDEO_ID }, fed.config, fed.data)
    if (this.#video === undefined) return false
    const [dts, pts] = ticks(times, this.#video.timescale)
    this.#write(this.#video, fed.data, dts, pts, times.key ?? isKeyframe(this.#video, fed.data))
    this.#stream.flush()
    return true
  }

  /** Takes one packet of sound, or several of AAC in ADTS, the first at `times`. Throws and returns like `writeVideo`. */
  writeAudio(data: Uint8Array, times: FrameTimes): boolean {
    const { audio } = this.#options
    if (audio === undefined) throw new MisuseError(`${this.#name}: sound, but no audio was announced`)
    if (this.isEnded) return false
    const fed = feedAudio(audio.codec, data)
    const [first] = fed.packets
    if (first === undefined) return false
    this.#audio = this.#announce(this.#audio, { ...audio, id: AUDIO_ID }, fed.config, first)
    const track = this.#audio
    if (track === undefined) return false
    let [dts] = ticks(times, track.timescale)
    for (const packet of fed.packets) {
      this.#write(track, packet, dts, dts, true)
      dts += frameDurationTicks(track, packet) ?? 0
    }
    this.#stream.flush()
    return true
  }

  /** The participant leaves. Idempotent. */
  end(): void {
    this.#stream.end('finished')
    this.#arena.close()
  }

  get #name(): string {
    return `${this.address.room}/${this.address.participant}`
  }

  /** The track as it is from this frame on, announced where that is news; undefined while too little is known of it. */
  #announce(
    known: Track | undefined,
    origin: Omit<Parameters<typeof describeTrack>[0], 'epoch'>,
    config: Uint8Array | undefined,
    data: Uint8Array,
  ): Track | undefined {
    let track = known
    if (track === undefined) {
      const initial = config ?? origin.config
      if (initial.length === 0 && !SELF_DESCRIBING.has(origin.codec)) return undefined
      track = describeTrack({ ...origin, config: initial, epoch: 0 })
    } else if (config !== undefined && Buffer.compare(config, track.config) !== 0) {
      track = describeTrack({ ...origin, config, epoch: track.epoch + 1 })
    }
    const refined = refineTrack(track, data)
    if (refined !== known) this.#stream.track(refined)
    return refined
  }

  #write(track: Track, data: Uint8Array, dts: number, pts: number, key: boolean): void {
    const block = this.#arena.copy(data)
    const { start } = this.#arena
    try {
      this.#stream.write(new Frame(track, dts, pts, key, block.bytes.subarray(start, start + data.length), block))
    } finally {
      block.release()
    }
  }
}
