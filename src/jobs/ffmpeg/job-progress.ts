import type { JobContext } from '../job.ts'

/** What of ffmpeg's `-progress` shows that it is alive: any of these has to change. */
const VITAL = new Set(['out_time_us', 'frame', 'total_size'])

/** How far a job of several stages is. What is left is taken to go on as fast as what was. */
export class JobProgress {
  readonly #context: JobContext
  readonly #beganMs = performance.now()
  #done = 0

  constructor(context: JobContext) {
    this.#context = context
  }

  /**
   * Begins a stage that is `share` of the whole (0 to 1) and goes through `seconds` of media. Returns what is to be given each
   * line of ffmpeg's `-progress`: it says whether there was progress.
   */
  stage(share: number, seconds: number): (line: string) => boolean {
    const from = this.#done
    this.#done += share
    const seen = new Map<string, string>()
    return (line) => {
      const [key, value] = line.split('=')
      if (key === undefined || value === undefined || !VITAL.has(key) || seen.get(key) === value) return false
      seen.set(key, value)
      const at = Number(value) / 1_000_000
      if (key === 'out_time_us' && at > 0) this.#report(from + share * Math.min(1, at / Math.max(seconds, 0.001)))
      return true
    }
  }

  /** A further `share` of the whole is done. */
  advance(share: number): void {
    this.#done += share
    this.#report(this.#done)
  }

  #report(fraction: number): void {
    const tookSeconds = (performance.now() - this.#beganMs) / 1000
    const etaSeconds = fraction > 0 ? Math.max(0, Math.round((tookSeconds * (1 - fraction)) / fraction)) : null
    this.#context.progress(Math.min(100, Math.round(fraction * 1000) / 10), etaSeconds)
  }
}
