import { audioTagHolds } from '../../container/flv/audio-tag.ts'
import type { LiveStream, Subscription } from '../../live/stream.ts'
import type { EndReason, Subscriber } from '../../live/subscriber.ts'
import { toMs } from '../../media/clock.ts'
import type { Frame } from '../../media/frame.ts'
import type { Logger } from '../../media/ports.ts'
import type { Track } from '../../media/track.ts'
import type { RtmpPlayOutput } from '../../rtmp/handlers.ts'
import { type BatchForm, BatchWriter } from './batch.ts'
import { type PlayerHost, type PlayerLimits, RtmpPlayer } from './player.ts'
import { replayOf } from './replay.ts'
import { writeSetup } from './setup.ts'

/**
 * A batch goes out with a flush, but not sooner after the last one than this, milliseconds: every read of a live socket (they
 * are 60 ms apart) makes one. Each costs as much as its sockets, whatever it holds.
 */
const MIN_INTERVAL_MS = 45
/** …and without any flush at this age, milliseconds: a publisher that stops in mid-batch. */
const MAX_BATCH_MS = 100
/** …or at once at this size, bytes. */
const MAX_BATCH_BYTES = 256 * 1024

/** E-RTMP v2: videoTrackId and audioTrackId are bytes. */
const MAX_TRACK_ID = 255

/** What a broadcast needs from above. */
export interface BroadcastOptions {
  readonly form: BatchForm
  readonly limits: PlayerLimits
  readonly logger: Logger
  /** Players that understand E-RTMP multitrack get all tracks, others the first of each kind. */
  readonly multitrack: boolean
  /** The last player has gone, and with it the broadcast. */
  onIdle(): void
}

/**
 * One live stream on its way to its players: every batch is put into chunks once and sent to all of them. Exists from the
 * first player to the last.
 */
export class RtmpBroadcast implements Subscriber, PlayerHost {
  readonly kind = 'player'
  readonly #stream: LiveStream
  readonly #options: BroadcastOptions
  readonly #writer: BatchWriter
  readonly #subscription: Subscription | undefined
  readonly #timer: NodeJS.Timeout
  #players: readonly RtmpPlayer[] = []
  #replay: Uint8Array | undefined
  #sentAtMs = Number.NEGATIVE_INFINITY
  #lastMs = 0
  #leadTrackId: number | undefined
  /** By track id, the E-RTMP track id that it goes out with: the first of each kind is 0, the next 1; -1 stays here. */
  readonly #trackIds = new Map<number, number>()
  readonly #count = { video: 0, audio: 0 }
  #live = false
  #closed = false

  constructor(stream: LiveStream, options: BroadcastOptions) {
    this.#stream = stream
    this.#options = options
    this.#writer = new BatchWriter(options.form)
    this.#timer = setTimeout(() => this.#send(), MAX_BATCH_MS).unref()
    this.#subscription = stream.subscribe(this, { fromKeyframe: false })
    this.#live = true
  }

  get players(): readonly RtmpPlayer[] {
    return this.#players
  }

  /** Adds a player, from the last keyframe on. What was gathered so far goes out to the others first. */
  join(output: RtmpPlayOutput): RtmpPlayer {
    const player = new RtmpPlayer(this, output, this.#options.limits)
    this.#send()
    this.#players = [...this.#players, player]
    try {
      this.#replay ??= replayOf(this.#stream, this.#options.form, this.#trackIdOf)
      const beginning = this.#replay ?? (this.#leadTrackId === undefined ? this.setup() : undefined)
      player.start(beginning, performance.now())
    } catch (error) {
      player.end()
      throw error
    }
    return player
  }

  setup(): Uint8Array {
    const writer = new BatchWriter(this.#options.form, 4096)
    writeSetup(writer, this.#stream, this.#trackIdOf, this.#lastMs)
    return writer.bytes
  }

  leave(player: RtmpPlayer, reason: 'left' | 'slow' | 'stream ended'): void {
    this.#players = this.#players.filter((other) => other !== player)
    const { logger, onIdle } = this.#options
    const facts = { ...this.#stream.address, reason, skips: player.skips, players: this.#players.length }
    if (reason === 'slow') logger.warn(facts, 'a player was too slow and is disconnected')
    else logger.info(facts, 'a player left')
    if (this.#players.length > 0 || this.#closed) return
    this.#close()
    onIdle()
  }

  /** A batch never has frames of two epochs of a track: whoever joins at its keyframe gets the configuration for all of it. */
  track(track: Track): void {
    if (track.kind === 'video') this.#leadTrackId ??= track.id
    this.#trackIds.set(track.id, this.#chooseTrackId(track))
    if (!this.#live) return
    this.#send()
    this.#replay = undefined
    const trackId = this.#trackIdOf(track)
    if (trackId < 0) return
    this.#begin()
    this.#writer.sequenceHeader(track, trackId, this.#lastMs)
  }

  frame(frame: Frame): void {
    const trackId = this.#trackIdOf(frame.track)
    if (trackId < 0) return
    this.#replay = undefined
    this.#begin()
    this.#lastMs = toMs(frame.dts, frame.track.timescale)
    this.#writer.frame(frame, trackId, frame.track.id === this.#leadTrackId)
    if (this.#writer.sizeBytes >= MAX_BATCH_BYTES) this.#send()
  }

  flush(): void {
    if (this.#writer.sizeBytes > 0 && performance.now() - this.#sentAtMs >= MIN_INTERVAL_MS) this.#send()
  }

  end(reason: EndReason): void {
    this.#send()
    const players = this.#players
    this.#close()
    for (const player of players) {
      try {
        player.finish(reason)
      } catch (error) {
        this.#drop(player, error)
      }
    }
    this.#options.onIdle()
  }

  readonly #trackIdOf = (track: Track): number => this.#trackIds.get(track.id) ?? -1

  #chooseTrackId(track: Track): number {
    const known = this.#trackIds.get(track.id)
    if (known !== undefined) return known
    const trackId = this.#count[track.kind]
    const carried = trackId === 0 || (this.#options.multitrack && trackId <= MAX_TRACK_ID)
    if (!carried || (track.kind === 'audio' && !audioTagHolds(track, trackId))) return -1
    this.#count[track.kind]++
    return trackId
  }

  #begin(): void {
    if (this.#writer.sizeBytes === 0) this.#timer.refresh()
  }

  #send(): void {
    const writer = this.#writer
    if (writer.sizeBytes === 0 || this.#closed) return
    const nowMs = performance.now()
    this.#sentAtMs = nowMs
    const { bytes } = writer
    const keyOffset = this.#leadTrackId === undefined ? 0 : writer.keyOffset
    let free = true
    const players = this.#players
    for (let i = 0; i < players.length; i++) {
      try {
        if (!players[i].batch(bytes, keyOffset, nowMs)) free = false
      } catch (error) {
        free = false
        this.#drop(players[i], error)
      }
    }
    writer.reset(free)
  }

  /** A player that fails takes neither the others nor the stream along. */
  #drop(player: RtmpPlayer, error: unknown): void {
    this.#options.logger.error({ err: error, ...this.#stream.address }, 'a player failed and is dropped')
    player.end()
  }

  #close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
    this.#subscription?.close()
  }
}
