import type { Course } from '../state/catalogue-entry.ts'
import type { Past } from './past.ts'

/** The time of one recording of a room: its zero, since when frames are kept, its pauses. Goes on where a crash interrupted it. */
export class RoomClock {
  /** The moment from which time on the recording's clock counts, as `performance.now` has it. */
  readonly zeroAtMs: number
  /** The same by the wall clock, ms since 1970. */
  readonly zeroWallMs: number
  readonly #past: Past | undefined
  #startedAtMs: number | undefined
  #pausedAtMs: number | undefined
  #pausesMs: number

  constructor(past?: Past) {
    this.zeroAtMs = past?.zeroAtMs ?? performance.now()
    this.zeroWallMs = past?.zeroWallMs ?? Date.now()
    this.#past = past
    this.#startedAtMs = past?.startedAtMs
    this.#pausedAtMs = past?.pausedAtMs
    this.#pausesMs = past?.pausesMs ?? 0
  }

  /** The first frame is kept. */
  start(): void {
    this.#startedAtMs = performance.now()
  }

  pause(): void {
    this.#pausedAtMs = performance.now()
  }

  resume(): void {
    const nowMs = performance.now()
    this.#pausesMs += nowMs - (this.#pausedAtMs ?? nowMs)
    this.#pausedAtMs = undefined
  }

  /** Time since the first frame without pauses, ms. */
  runningMs(nowMs: number): number {
    if (this.#startedAtMs === undefined) return 0
    return (this.#pausedAtMs ?? nowMs) - this.#startedAtMs - this.#pausesMs
  }

  /** What another process needs to go on with it. */
  get course(): Course {
    return {
      zero_at: new Date(this.zeroWallMs).toISOString(),
      paused_ms: this.#pausesMs,
      interruptions: [...(this.#past?.interruptions ?? [])],
    }
  }
}
