import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { processStat } from '../../media/process-stat.ts'

/** How often it is looked what the process needs, ms. */
const LOOK_INTERVAL_MS = 500
/** CPU seconds per second beyond which one CPU is about to be too little: what waits meanwhile lies in the socket's buffer. */
const CROWDED_SHARE = 0.5
/** Below which one is enough again. */
const ROOMY_SHARE = 0.25
/** Tries that come to nothing, after which it is left as it is: a `taskset` of another kind. */
const MAX_FAILURES = 5

/**
 * Where the threads of a process run: all on one CPU while that is enough, on all that this process may use otherwise.
 *
 * In a media process a packet is handed from thread to thread: the one that reads the socket, one that decrypts, the one that runs
 * JavaScript. To wake the next on another CPU costs more than its work, and it finds a single packet; on the same CPU, and without
 * preempting who wakes it (SCHED_BATCH), it finds all that have come meanwhile. Needs `chrt` and `taskset` (util-linux); where they
 * are missing everything works as it does without, and costs more.
 */
export class Placement {
  readonly #pid: number
  readonly #all: readonly number[] = allowedCpus()
  readonly #one: number | undefined
  #isOnOne = false
  #failures = 0
  #cpuSeconds = 0
  #lookedMs = performance.now()
  #timer: NodeJS.Timeout | undefined

  /** Begins at once, and looks after it until `stop`. */
  constructor(pid: number) {
    this.#pid = pid
    const [, ...others] = this.#all // the first one has the interrupts of most devices
    this.#one = others[Math.floor(Math.random() * others.length)]
    if (process.platform !== 'linux') return
    execFile('chrt', ['--all-tasks', '--batch', '--pid', '0', String(pid)], () => {}).unref()
    if (this.#one === undefined) return
    this.#place([this.#one])
    this.#timer = setInterval(() => this.#look(performance.now()), LOOK_INTERVAL_MS).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #look(nowMs: number): void {
    const cpuSeconds = processStat(this.#pid)?.cpuS
    if (cpuSeconds === undefined) return
    const share = ((cpuSeconds - this.#cpuSeconds) * 1000) / (nowMs - this.#lookedMs)
    this.#cpuSeconds = cpuSeconds
    this.#lookedMs = nowMs
    if (this.#isOnOne && share > CROWDED_SHARE) this.#place(this.#all)
    else if (!this.#isOnOne && share < ROOMY_SHARE && this.#one !== undefined) this.#place([this.#one])
  }

  /** A thread that ends meanwhile may make it fail: the next look tries again, and for ever while all are on one. */
  #place(cpus: readonly number[]): void {
    const args = ['--all-tasks', '--cpu-list', '--pid', cpus.join(','), String(this.#pid)]
    execFile('taskset', args, (error) => {
      if (error === null) {
        this.#isOnOne = cpus.length === 1
        this.#failures = 0
      } else if (!this.#isOnOne && ++this.#failures >= MAX_FAILURES) this.stop()
    }).unref()
  }
}

/** CPUs that this process may use; none where the system does not say. */
function allowedCpus(): number[] {
  try {
    const list = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? ''
    return list.split(',').flatMap((range) => {
      const [from, to = from] = range.split('-').map(Number)
      return Array.from({ length: to - from + 1 }, (_, i) => from + i)
    })
  } catch {
    return []
  }
}
