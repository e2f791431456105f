import { LIVE_STATUSES } from '../state/recording-object.ts'
import type { CatalogueRecord } from './catalogue-record.ts'

/** What a service has done since it began. Counters only grow. */
export interface ServiceStats {
  /** Recordings at work now, automatic ones included. */
  readonly active: number
  /** The same by status. */
  readonly byStatus: Readonly<Record<string, number>>
  readonly created: number
  readonly completed: number
  readonly failed: number
  readonly cancelled: number
  /** By error code. */
  readonly failedByCode: Readonly<Record<string, number>>
  /** From the last frame to `completed`, of all together, seconds. */
  readonly processingSeconds: number
}

/** Counts what becomes of recordings. */
export class ServiceCounts {
  readonly #failedByCode = new Map<string, number>()
  #created = 0
  #completed = 0
  #failed = 0
  #cancelled = 0
  #processingMs = 0

  began(): void {
    this.#created++
  }

  /** A recording has come to its end. */
  ended(record: CatalogueRecord): void {
    const { status, error, stopped_at, processed_at } = record.entry.recording
    if (status === 'cancelled') this.#cancelled++
    else if (status === 'failed') {
      this.#failed++
      const code = error?.code ?? 'INTERNAL'
      this.#failedByCode.set(code, (this.#failedByCode.get(code) ?? 0) + 1)
    } else if (status === 'completed') {
      this.#completed++
      if (stopped_at !== null && processed_at !== null) {
        this.#processingMs += Math.max(0, Date.parse(processed_at) - Date.parse(stopped_at))
      }
    }
  }

  /** `held`: those that are at work, and some that have just ended. */
  read(held: Iterable<CatalogueRecord>): ServiceStats {
    const byStatus: Record<string, number> = Object.fromEntries(LIVE_STATUSES.map((status) => [status, 0]))
    for (const record of held) {
      if (record.isKept && !record.isFinal) byStatus[record.status] = (byStatus[record.status] ?? 0) + 1
    }
    return {
      active: Object.values(byStatus).reduce((sum, count) => sum + count, 0),
      byStatus,
      created: this.#created,
      completed: this.#completed,
      failed: this.#failed,
      cancelled: this.#cancelled,
      failedByCode: Object.fromEntries(this.#failedByCode),
      processingSeconds: this.#processingMs / 1000,
    }
  }
}
