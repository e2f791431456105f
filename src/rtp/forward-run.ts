import type { ForwardSource } from './forward-source.ts'

/** An unbroken run of packets of one source to one watcher: how the source's counting becomes the watcher's. */
export interface ForwardRun {
  readonly source: ForwardSource
  /** The first sequence number of the run, extended beyond 16 bit. */
  readonly first: number
  /** To be added to a packet's index. */
  readonly addSequence: number
  /** To be added to a packet's ticks. */
  readonly addTicks: number
  /** VP8 counters. */
  readonly addVp8: { readonly pictureId: number; readonly tl0: number }
}

/** Runs that are remembered for retransmission. */
const MAX_RUNS = 4

/** The last runs of one watcher. */
export class ForwardRuns {
  readonly #runs: ForwardRun[] = []

  get current(): ForwardRun | undefined {
    return this.#runs.at(-1)
  }

  push(run: ForwardRun): void {
    this.#runs.push(run)
    if (this.#runs.length > MAX_RUNS) this.#runs.shift()
  }

  /** The run that a sequence number, extended, belongs to. */
  of(sequence: number): ForwardRun | undefined {
    for (let i = this.#runs.length - 1; i >= 0; i--) if (sequence >= this.#runs[i].first) return this.#runs[i]
    return undefined
  }

  clear(): void {
    this.#runs.length = 0
  }
}
