/** One peer sends no more than this, packets per second: 300 Mbit/s. The library queues without a bound what it is not asked to drop. */
export const MAX_PACKETS_PER_S = 30_000
/** What may come at once beyond that, packets: a peer's of some seconds in which this process stood still. */
const MAX_BURST_PACKETS = 3 * MAX_PACKETS_PER_S
/** How often the clock is looked at, packets. */
const STEP_PACKETS = 4096

/** Tells a peer that floods from one whose packets were held up: a bucket that leaks as much as a peer may send. */
export class FloodWatch {
  #untilLook = STEP_PACKETS
  #level = 0
  #lookedAtMs = performance.now()

  /** A packet came. True when there were too many. */
  packet(): boolean {
    return --this.#untilLook === 0 && this.#look(performance.now())
  }

  #look(nowMs: number): boolean {
    this.#untilLook = STEP_PACKETS
    const leakedPackets = ((nowMs - this.#lookedAtMs) * MAX_PACKETS_PER_S) / 1000
    this.#lookedAtMs = nowMs
    this.#level = Math.max(0, this.#level - leakedPackets) + STEP_PACKETS
    return this.#level > MAX_BURST_PACKETS
  }
}
