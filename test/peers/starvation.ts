import { monitorEventLoopDelay } from 'node:perf_hooks'

const RESOLUTION_MS = 5
/** Of how long this process, which does nothing else, has to wait for its turn. */
const PERCENTILE = 99

/**
 * Tells how long processes wait for a processor. Browsers stamp what they capture when they get their turn: by as much as that is
 * late, what they say of their time may be wrong, and nobody can know it.
 */
export class Starvation {
  readonly #histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS })

  constructor() {
    this.#histogram.enable()
  }

  /** What is granted to whoever is measured meanwhile, ms. Nearly none where the machine has nothing else to do. */
  stop(): number {
    this.#histogram.disable()
    return Math.max(0, this.#histogram.percentile(PERCENTILE) / 1e6 - 2 * RESOLUTION_MS)
  }
}
