import { describeTrack, refineTrack } from '../../codec/track.ts'
import { Unwrap32 } from '../../media/clock.ts'
import { TapedeckError } from '../../media/errors.ts'
import type { Track } from '../../media/track.ts'
import type { AudioPacket } from './audio-tag.ts'
import { configOf } from './sequence-header.ts'
import type { FaultListener } from './tag-scanner.ts'
import type { VideoPacket } from './video-tag.ts'

/** FLV's timestamps are ms (§E.4.1). */
const TIMESCALE = 1000
/** A decoder configuration, bytes; real ones stay below 1 KiB. */
const MAX_CONFIG_BYTES = 256 * 1024
/** Tracks and their epochs in one file. */
const MAX_EPOCHS = 4096
/** Codecs whose frames are nothing without a configuration. */
const NEEDS_CONFIG: ReadonlySet<string> = new Set(['h264', 'hevc', 'aac', 'flac'])

/** One elementary stream of a file while its tags are gone through. */
export interface TrackState {
  /** Undefined until its configuration, or for codecs without one its first frame. */
  track: Track | undefined
  /** Its configuration as it last stood in the file. */
  config: Uint8Array | undefined
  epoch: number
  readonly clock: Unwrap32
}

/**
 * Makes tracks of the packets of one pass through a file. Passes over the same file share `known`, so that they name the
 * same `Track` objects; ids count from 1 in the order of appearance.
 */
export class TrackBook {
  readonly #known: Map<string, Track>
  readonly #fault: FaultListener
  readonly #states = new Map<number, TrackState>()
  readonly #ids: Map<number, number>
  readonly #refused = new Set<string>()

  constructor(known: Map<string, Track>, ids: Map<number, number>, fault: FaultListener) {
    this.#known = known
    this.#ids = ids
    this.#fault = fault
  }

  /** The state of the track that a packet belongs to. */
  state(kind: 'video' | 'audio', trackId: number): TrackState {
    const key = kind === 'video' ? trackId : 256 + trackId
    let state = this.#states.get(key)
    if (state === undefined) {
      if (!this.#ids.has(key)) this.#ids.set(key, this.#ids.size + 1)
      state = { track: undefined, config: undefined, epoch: 0, clock: new Unwrap32() }
      this.#states.set(key, state)
    }
    return state
  }

  /** Takes a configuration in; the same one again changes nothing. */
  configure(kind: 'video' | 'audio', packet: VideoPacket | AudioPacket, payload: Uint8Array, offset: number): void {
    const state = this.state(kind, packet.trackId)
    const config = configOf(packet.codec, payload)
    const isSame = state.config !== undefined && Buffer.compare(state.config, config) === 0
    if (isSame && state.track?.codec === packet.codec) return
    if (config.length > MAX_CONFIG_BYTES || this.#known.size >= MAX_EPOCHS) {
      this.refuse(
        `config ${kind} ${packet.trackId}`,
        'bad-config',
        offset,
        'a configuration too large, or one too many',
      )
      return
    }
    state.config = Uint8Array.from(config)
    const isFirst = state.track === undefined
    if (!isFirst) state.epoch++
    try {
      state.track = this.#describe(kind, state, packet)
    } catch (error) {
      if (!(error instanceof TapedeckError)) throw error
      if (!isFirst) state.epoch--
      state.config = undefined
      this.#fault('bad-config', offset, error.message)
    }
  }

  /** The track of a frame; undefined when it cannot be known, which is noted. */
  trackOf(
    kind: 'video' | 'audio',
    packet: VideoPacket | AudioPacket,
    data: Uint8Array,
    offset: number,
  ): Track | undefined {
    const state = this.state(kind, packet.trackId)
    if (state.track?.codec !== packet.codec) {
      if (NEEDS_CONFIG.has(packet.codec)) {
        this.refuse(
          `${kind} ${packet.trackId}`,
          'no-config',
          offset,
          `${packet.codec} frames before their configuration`,
        )
        return undefined
      }
      this.configure(kind, packet, data.subarray(0, 0), offset)
      if (state.track?.codec !== packet.codec) return undefined
    }
    const refined = refineTrack(state.track, data)
    if (refined !== state.track) {
      state.track = this.#remember(refined)
      state.epoch = refined.epoch
    }
    return state.track
  }

  /** Notes something once per `subject`. */
  refuse(subject: string, kind: string, offset: number, message: string): void {
    if (this.#refused.has(subject) || this.#refused.size > 1000) return
    this.#refused.add(subject)
    this.#fault(kind, offset, message)
  }

  #describe(kind: 'video' | 'audio', state: TrackState, packet: VideoPacket | AudioPacket): Track {
    const id = this.#ids.get(kind === 'video' ? packet.trackId : 256 + packet.trackId) ?? 0
    const sound = 'channels' in packet ? { sampleRateHz: packet.sampleRateHz, channels: packet.channels } : {}
    const { codec } = packet
    const config = state.config ?? new Uint8Array(0)
    return this.#remember(describeTrack({ id, epoch: state.epoch, timescale: TIMESCALE, codec, config, ...sound }))
  }

  #remember(track: Track): Track {
    const facts = track.kind === 'video' ? `${track.width}x${track.height}` : `${track.sampleRateHz}/${track.channels}`
    const key = `${track.id}.${track.epoch} ${track.codec} ${facts} ${Buffer.from(track.config).toString('latin1')}`
    const known = this.#known.get(key)
    if (known !== undefined) return known
    this.#known.set(key, track)
    return track
  }
}
