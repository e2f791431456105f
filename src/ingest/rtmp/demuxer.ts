import { type AudioPacket, AudioTag } from '../../container/flv/audio-tag.ts'
import { type VideoPacket, VideoTag } from '../../container/flv/video-tag.ts'
import type { Block } from '../../media/block.ts'
import { fromMs, rescale, Unwrap32 } from '../../media/clock.ts'
import { UnsupportedError } from '../../media/errors.ts'
import { Frame } from '../../media/frame.ts'
import type { AudioCodec, Track, VideoCodec } from '../../media/track.ts'
import { IncomingTrack } from './incoming-track.ts'

const NANOSECONDS = 1_000_000_000 // per second
/** A temporal delimiter with its size field, which some put before every unit (AV1 §5.6). */
const AV1_DELIMITER = { TYPE: 0x12, SIZE: 0x00 } as const

/** Where tracks and frames go: a `LiveStream`, or whoever wants a remote one. */
export interface FrameTarget {
  track(track: Track): void
  write(frame: Frame): void
}

/** Bounds and hooks of a demuxer. */
export interface DemuxerOptions {
  /** Tracks of one publisher; further ones are refused. */
  readonly maxTracks: number
  /** A track will not be kept, and why, once each. `id` is the one that it would have had. */
  onRefused(kind: 'video' | 'audio', trackId: number, problem: string): void
}

/**
 * RTMP audio and video messages in, tracks and frames out.
 *
 * The default video track has id 1, the default audio track 2; further ones (E-RTMP multitrack) count from 3 as they first
 * appear. Tracks of legacy messages tick in milliseconds, those of enhanced ones in microseconds. Messages share one clock,
 * so that a wrap of the 32-bit timestamp between two tracks' first messages does not tear them apart.
 */
export class RtmpDemuxer {
  readonly #target: FrameTarget
  readonly #options: DemuxerOptions
  readonly #videoTag = new VideoTag()
  readonly #audioTag = new AudioTag()
  readonly #video: (IncomingTrack | undefined)[] = []
  readonly #audio: (IncomingTrack | undefined)[] = []
  readonly #clock = new Unwrap32()
  #trackCount = 0
  #nextId = 3
  /** Messages and packets that are no media: empty ones, sequence ends, frames that nothing can decode. */
  ignored = 0

  constructor(target: FrameTarget, options: DemuxerOptions) {
    this.#target = target
    this.#options = options
  }

  /**
   * One message, as `RtmpPublishSink.media` gets it.
   * @throws MalformedError when it cannot be taken apart; the next one may be fine
   */
  media(type: 8 | 9, timestampMs: number, payload: Uint8Array, block: Block | undefined): void {
    const timeMs = this.#clock.next(timestampMs)
    if (type === 9) {
      const tag = this.#videoTag
      const count = tag.parse(payload)
      if (count === 0) this.ignored++
      for (let i = 0; i < count; i++) this.#videoPacket(tag.packets[i], timeMs, payload, block)
    } else {
      const tag = this.#audioTag
      const count = tag.parse(payload)
      if (count === 0) this.ignored++
      for (let i = 0; i < count; i++) this.#audioPacket(tag.packets[i], timeMs, payload, block)
    }
  }

  #videoPacket(packet: VideoPacket, timeMs: number, payload: Uint8Array, block: Block | undefined): void {
    const enhanced = (payload[0] & 0x80) !== 0
    const incoming = this.#video[packet.trackId] ?? this.#open('video', packet.trackId, enhanced)
    if (packet.kind === 'unsupported') this.#refuse('video', packet.trackId, incoming, packet.problem)
    if (incoming.refused !== undefined || (packet.kind !== 'config' && packet.kind !== 'frame')) {
      this.ignored++
      return
    }
    if (packet.kind === 'config') {
      this.#configure('video', packet.trackId, incoming, packet.codec, payload.subarray(packet.start, packet.end))
      return
    }
    const start = packet.start + (packet.codec === 'av1' ? delimiterBytes(payload, packet.start) : 0)
    const data = view(payload, start, packet.end)
    const begun = data.length > 0 ? incoming.prepare(packet.codec, data, packet.key) : undefined
    if (begun !== undefined) this.#target.track(begun)
    const track = incoming.current
    if (track === undefined || track.codec !== packet.codec || data.length === 0) {
      this.ignored++
      return
    }
    const dts = ticks(timeMs, packet.timestampOffsetNs, track.timescale)
    const pts = packet.compositionTimeMs === 0 ? dts : dts + fromMs(packet.compositionTimeMs, track.timescale)
    this.#target.write(new Frame(track, dts, pts, incoming.isKey(track, data, packet.key), data, block))
  }

  #audioPacket(packet: AudioPacket, timeMs: number, payload: Uint8Array, block: Block | undefined): void {
    const enhanced = payload[0] >> 4 === 9
    const incoming = this.#audio[packet.trackId] ?? this.#open('audio', packet.trackId, enhanced)
    if (packet.kind === 'unsupported') this.#refuse('audio', packet.trackId, incoming, packet.problem)
    if (incoming.refused !== undefined || (packet.kind !== 'config' && packet.kind !== 'frame')) {
      this.ignored++
      return
    }
    if (packet.kind === 'config') {
      this.#configure('audio', packet.trackId, incoming, packet.codec, payload.subarray(packet.start, packet.end))
      return
    }
    const data = view(payload, packet.start, packet.end)
    const begun = data.length > 0 ? incoming.prepare(packet.codec, data, true, packet) : undefined
    if (begun !== undefined) this.#target.track(begun)
    const track = incoming.current
    if (track === undefined || track.codec !== packet.codec || data.length === 0) {
      this.ignored++
      return
    }
    const time = ticks(timeMs, packet.timestampOffsetNs, track.timescale)
    this.#target.write(new Frame(track, time, time, true, data, block))
  }

  #configure(
    kind: 'video' | 'audio',
    trackId: number,
    incoming: IncomingTrack,
    codec: VideoCodec | AudioCodec,
    payload: Uint8Array,
  ): void {
    try {
      const track = incoming.configure(codec, payload)
      if (track !== undefined) this.#target.track(track)
    } catch (error) {
      if (!(error instanceof UnsupportedError)) throw error
      this.#refuse(kind, trackId, incoming, error.message)
    }
  }

  #open(kind: 'video' | 'audio', trackId: number, enhanced: boolean): IncomingTrack {
    let id = kind === 'video' ? 1 : 2
    if (trackId !== 0) id = this.#nextId++
    const incoming = new IncomingTrack(id, enhanced)
    const list = kind === 'video' ? this.#video : this.#audio
    list[trackId] = incoming
    if (++this.#trackCount > this.#options.maxTracks) {
      this.#refuse(kind, trackId, incoming, `one track more than the ${this.#options.maxTracks} allowed`)
    }
    return incoming
  }

  #refuse(kind: 'video' | 'audio', trackId: number, incoming: IncomingTrack, problem: string): void {
    if (incoming.refused !== undefined) return
    incoming.refused = problem
    this.#options.onRefused(kind, trackId, problem)
  }
}

function ticks(timeMs: number, offsetNs: number, timescale: number): number {
  const time = fromMs(timeMs, timescale)
  return offsetNs === 0 ? time : time + rescale(offsetNs, NANOSECONDS, timescale)
}

function delimiterBytes(payload: Uint8Array, at: number): number {
  return payload[at] === AV1_DELIMITER.TYPE && payload[at + 1] === AV1_DELIMITER.SIZE ? 2 : 0
}

/** A plain view: half the price of `Buffer.subarray`, and once per frame. */
function view(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start)
}
