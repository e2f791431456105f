import type { EndReason } from '../../live/subscriber.ts'
import type { RtmpPlayOutput, RtmpPlaySource } from '../../rtmp/handlers.ts'
import { SendBacklog } from './send-backlog.ts'

/** When a player is too slow. */
export interface PlayerLimits {
  /** What may wait in its socket, bytes. */
  readonly maxBufferedBytes: number
  /** How long it may wait there, milliseconds. */
  readonly maxDelayMs: number
  /** How long it may stay too slow before it is disconnected, milliseconds. */
  readonly maxSlowMs: number
}

/** A player that has taken all but this fraction of the bound has caught up. */
const CAUGHT_UP = 1 / 16

/**
 * `playing`: gets every batch. `slow`: too much waits in its socket, nothing more is sent. `waiting`: would take more, but
 * only from the next keyframe on. `paused`: by its own wish. `ended`: gone.
 */
export type PlayerState = 'playing' | 'slow' | 'waiting' | 'paused' | 'ended'

/** What a player follows: it gives everything needed to start decoding, and is told when the player leaves. */
export interface PlayerHost {
  /** onMetaData and all sequence headers, in chunks. */
  setup(): Uint8Array
  leave(player: RtmpPlayer, reason: 'left' | 'slow' | 'stream ended'): void
}

/** One who plays one live stream over RTMP. Lives once. */
export class RtmpPlayer implements RtmpPlaySource {
  readonly #host: PlayerHost
  readonly #output: RtmpPlayOutput
  readonly #limits: PlayerLimits
  readonly #backlog = new SendBacklog()
  #state: PlayerState = 'waiting'
  #slowSinceMs = 0
  /** While the GOP of the beginning still waits in the socket: that much more is allowed. */
  #headStartBytes = 0
  /** Times that it was dropped to a keyframe. */
  skips = 0

  constructor(host: PlayerHost, output: RtmpPlayOutput, limits: PlayerLimits) {
    this.#host = host
    this.#output = output
    this.#limits = limits
  }

  get state(): PlayerState {
    return this.#state
  }

  /** Begins with `replay` (setup and the GOP so far) and goes on with the next batch; without it, at the next keyframe. */
  start(replay: Uint8Array | undefined, nowMs: number): void {
    if (this.#state !== 'waiting' || replay === undefined) return
    this.#state = 'playing'
    this.#headStartBytes = replay.length
    this.#send(replay, nowMs)
  }

  /**
   * The next of all batches; `keyOffset` is where decoding may start in it, -1 for nowhere. Returns whether the memory of
   * `bytes` is free again: nothing of this player's waits.
   */
  batch(bytes: Uint8Array, keyOffset: number, nowMs: number): boolean {
    switch (this.#state) {
      case 'playing':
        return this.#send(bytes, nowMs)
      case 'slow':
        return this.#recovered(nowMs) ? this.#resume(bytes, keyOffset, nowMs) : true
      case 'waiting':
        return this.#resume(bytes, keyOffset, nowMs)
      case 'paused':
      case 'ended':
        return true
      default:
        return this.#state satisfies never
    }
  }

  /** After a pause the player goes on at the next keyframe: what went by is live no more. */
  pause(paused: boolean): void {
    if (this.#state === 'ended') return
    if (paused) {
      this.#state = 'paused'
    } else if (this.#state === 'paused') {
      this.#state = 'slow' // until the next batch has looked at what waits in the socket
      this.#slowSinceMs = performance.now()
    }
  }

  end(): void {
    if (this.#state === 'ended') return
    this.#state = 'ended'
    this.#host.leave(this, 'left')
  }

  /** The stream is over; says so in the ways that players listen to. */
  finish(reason: EndReason): void {
    if (this.#state === 'ended') return
    this.#state = 'ended'
    this.#output.status('NetStream.Play.UnpublishNotify', `the publisher has ended (${reason})`)
    this.#output.status('NetStream.Play.Stop', 'the stream is over')
    this.#host.leave(this, 'stream ended')
  }

  #send(bytes: Uint8Array, nowMs: number): boolean {
    this.#output.send(bytes)
    const waiting = this.#output.bufferedBytes
    const ageMs = this.#backlog.sent(bytes.length, waiting, nowMs)
    const { maxBufferedBytes, maxDelayMs } = this.#limits
    if (waiting <= maxBufferedBytes * CAUGHT_UP) this.#headStartBytes = 0
    const late = ageMs > maxDelayMs && this.#headStartBytes === 0
    if (waiting > maxBufferedBytes + this.#headStartBytes || late) {
      this.#state = 'slow'
      this.#slowSinceMs = nowMs
      this.#headStartBytes = 0
      this.skips++
    }
    return waiting === 0
  }

  #recovered(nowMs: number): boolean {
    if (this.#output.bufferedBytes <= this.#limits.maxBufferedBytes * CAUGHT_UP) {
      this.#state = 'waiting'
      return true
    }
    if (nowMs - this.#slowSinceMs > this.#limits.maxSlowMs) {
      this.#state = 'ended'
      this.#host.leave(this, 'slow')
      this.#output.disconnect()
    }
    return false
  }

  #resume(bytes: Uint8Array, keyOffset: number, nowMs: number): boolean {
    if (keyOffset < 0) return true
    this.#state = 'playing'
    this.#send(this.#host.setup(), nowMs)
    return this.#send(keyOffset === 0 ? bytes : bytes.subarray(keyOffset), nowMs)
  }
}
