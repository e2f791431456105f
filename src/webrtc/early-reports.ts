import type { SenderReport } from '../rtp/rtcp.ts'

/** Those of more are of SSRCs that nobody sends. */
const MAX_KEPT = 32

/** A sender report and when it came, ms. */
export interface EarlyReport {
  readonly report: SenderReport
  readonly arrivalMs: number
}

/** Sender reports of SSRCs of which no packet has come yet: they say what time their first packets have. */
export class EarlyReports {
  readonly #kept = new Map<number, EarlyReport>()

  /** The newest of each SSRC is kept, and the newest of all. */
  keep(report: SenderReport, arrivalMs: number): void {
    this.#kept.delete(report.ssrc)
    this.#kept.set(report.ssrc, { report, arrivalMs })
    for (const ssrc of this.#kept.keys()) {
      if (this.#kept.size <= MAX_KEPT) break
      this.#kept.delete(ssrc)
    }
  }

  /** Takes out that of an SSRC whose first packet has come. */
  take(ssrc: number): EarlyReport | undefined {
    const early = this.#kept.get(ssrc)
    if (early !== undefined) this.#kept.delete(ssrc)
    return early
  }
}
