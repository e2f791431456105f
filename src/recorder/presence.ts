import type { EndReason } from '../live/subscriber.ts'
import { Tally } from './tally.ts'

/** A time in which a participant was away and its recording waited. */
export interface Absence {
  /** Why its stream ended. */
  readonly reason: EndReason
  /** ISO 8601, UTC. */
  readonly from: string
  /** Undefined when it did not return. */
  readonly to: string | undefined
}

/** Whether a participant is there, and how long its recording waits for it when it is not. */
export class Presence {
  /** How long is waited, ms. */
  readonly windowMs: number
  readonly #absences = new Tally<Absence>()
  #away: { readonly reason: EndReason; readonly untilMs: number; readonly fromWallMs: number } | undefined
  /** When the first of its media was taken, ms since 1970. */
  joinedAtMs: number | undefined
  /** When it went away, ms since 1970; undefined while it is there. */
  leftAtMs: number | undefined
  reconnects = 0

  constructor(windowMs: number) {
    this.windowMs = windowMs
  }

  /** Why it went, while it is waited for. */
  get awayReason(): EndReason | undefined {
    return this.#away?.reason
  }
  get absences(): Tally<Absence> {
    return this.#absences
  }

  /** Its stream ended. Returns whether it is waited for: a server that ends waits for nobody. */
  leave(reason: EndReason, nowMs: number): boolean {
    const fromWallMs = Date.now()
    this.leftAtMs = fromWallMs
    if (this.windowMs <= 0 || reason === 'shutdown') return false
    this.#away = { reason, untilMs: nowMs + this.windowMs, fromWallMs }
    return true
  }

  /** A stream of it is here. Returns whether it was waited for. */
  arrive(): boolean {
    this.leftAtMs = undefined
    return this.#endAbsence(new Date().toISOString())
  }

  /** It is waited for no longer. */
  giveUp(): void {
    this.#endAbsence(undefined)
  }

  /** It is away, and the wait is over. */
  isOver(nowMs: number): boolean {
    return this.#away !== undefined && nowMs >= this.#away.untilMs
  }

  #endAbsence(to: string | undefined): boolean {
    const away = this.#away
    if (away === undefined) return false
    this.#away = undefined
    if (to !== undefined) this.reconnects++
    this.#absences.add({ reason: away.reason, from: new Date(away.fromWallMs).toISOString(), to })
    return true
  }
}
