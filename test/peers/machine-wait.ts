import { readFileSync } from 'node:fs'
import { appendFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

/** Between two looks, ms. */
const PAUSE_MS = 50
const PROBE = Buffer.alloc(4096)

/** What was seen at one moment, ms: of this process's clock, of the other's wait for a processor so far, of one write. */
type Look = { readonly atMs: number; readonly delayedMs: number; readonly writeMs: number }

/**
 * How long the machine makes a process wait: for a processor, as the kernel counts it (schedstat of proc(5)), and for the disk, as
 * small writes beside it find it. What a server cannot do anything about says nothing of it.
 */
export class MachineWait {
  readonly #path: string
  readonly #pid: number
  readonly #looks: Look[] = []
  #writingSinceMs = 0
  #isOver = false

  /** Begins at once. */
  constructor(directory: string, pid: number) {
    this.#path = join(directory, `.probe-${pid}`)
    this.#pid = pid
    void this.#run()
  }

  /** Ends it: what the process waited in the last `windowMs`, ms. Before the process is ended. */
  stop(windowMs: number): number {
    this.#isOver = true
    const nowMs = performance.now()
    const fromMs = nowMs - windowMs
    const recent = this.#looks.filter(({ atMs }) => atMs >= fromMs)
    const before = this.#looks.findLast(({ atMs }) => atMs < fromMs) ?? this.#looks[0]
    const delayedMs = before === undefined ? 0 : this.#delayedMs() - before.delayedMs
    const writeMs = Math.max(0, ...recent.map((look) => look.writeMs), nowMs - this.#writingSinceMs - PAUSE_MS)
    return Math.round(delayedMs + writeMs)
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      const atMs = performance.now()
      this.#writingSinceMs = atMs
      await appendFile(this.#path, PROBE).catch(() => undefined)
      const endMs = performance.now()
      this.#looks.push({ atMs: endMs, delayedMs: this.#delayedMs(), writeMs: endMs - atMs })
      await delay(PAUSE_MS)
      this.#writingSinceMs = performance.now()
    }
  }

  /** Its main thread's, since it began. */
  #delayedMs(): number {
    try {
      return Number(readFileSync(`/proc/${this.#pid}/schedstat`, 'latin1').split(' ')[1]) / 1e6
    } catch {
      return 0
    }
  }
}
