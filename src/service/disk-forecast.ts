import type { EventSink } from '../events/event.ts'
import { DiskForecastError } from './errors.ts'

/** What a new recording is expected to write when nobody knows better, bits per second: 1080p from an encoder at home. */
export const DEFAULT_BITRATE_BPS = 6_000_000
/** It is said to be well again when this much more than needed is there. */
const RECOVERY_FACTOR = 1.25

/** What a forecast is made of. */
export interface DiskForecastOptions {
  /** Room left, bytes; undefined while the system does not say. */
  freeBytes(): number | undefined
  /** Of which so much has to stay free. */
  readonly minFreeBytes: number
  /** For how long everything has to fit, ms. */
  readonly reserveMs: number
  /** What all active recordings, automatic ones too, write now, bits per second. */
  writeRateBps(): number
  readonly sink: EventSink
}

/** Foresees when the disk is full, and refuses recordings before those that run are at risk. */
export class DiskForecast {
  readonly #options: DiskForecastOptions
  /** Admitted, but not yet seen in the write rate: bits per second by id. */
  readonly #expected = new Map<string, number>()
  #isLow = false

  constructor(options: DiskForecastOptions) {
    this.#options = options
  }

  /** Until the disk is as full as it may be at the present rate; null when nothing is written or nobody knows what is free. */
  get secondsLeft(): number | null {
    const free = this.#roomBytes()
    const rate = this.#rateBps()
    return free === undefined || rate <= 0 ? null : Math.floor((free * 8) / rate)
  }
  /** A recording of the usual rate would be refused. */
  get isLow(): boolean {
    return !this.#fits(DEFAULT_BITRATE_BPS, 1)
  }

  /**
   * Reserves room for a new recording: `id` counts with `expectedBps` until `settled`.
   * @throws DiskForecastError when what runs, and this one, would not fit for the reserve time
   */
  admit(id: string, expectedBps: number = DEFAULT_BITRATE_BPS): void {
    const rate = expectedBps > 0 ? expectedBps : DEFAULT_BITRATE_BPS
    if (!this.#fits(rate, 1)) {
      throw new DiskForecastError(this.#options.freeBytes() ?? 0, this.#neededBytes(rate) + this.#options.minFreeBytes)
    }
    this.#expected.set(id, rate)
  }

  /** `id` writes, and is in the write rate now; or it has come to its end. */
  settled(id: string): void {
    this.#expected.delete(id)
  }

  /** Looks anew, every few seconds: tells when it has become low, or well again. */
  check(): void {
    const { sink } = this.#options
    const wasLow = this.#isLow
    this.#isLow = wasLow ? !this.#fits(DEFAULT_BITRATE_BPS, RECOVERY_FACTOR) : this.isLow
    if (this.#isLow === wasLow) return
    const data = {
      free_bytes: this.#options.freeBytes() ?? null,
      write_rate_bps: Math.round(this.#rateBps()),
      seconds_left: this.secondsLeft,
    }
    sink.emit({ type: this.#isLow ? 'disk_low' : 'disk_ok', roomId: null, recordingId: null, userId: null, data })
  }

  #rateBps(): number {
    let rate = this.#options.writeRateBps()
    for (const expected of this.#expected.values()) rate += expected
    return rate
  }

  #roomBytes(): number | undefined {
    const free = this.#options.freeBytes()
    return free === undefined ? undefined : Math.max(0, free - this.#options.minFreeBytes)
  }

  /** For the reserve time, with a new one of `newBps`. */
  #neededBytes(newBps: number): number {
    return ((this.#rateBps() + newBps) * this.#options.reserveMs) / 8000
  }

  #fits(newBps: number, factor: number): boolean {
    const room = this.#roomBytes()
    return room === undefined || this.#neededBytes(newBps) * factor <= room
  }
}
