/** The only place where time is converted. Everywhere else: integer ticks of a track's timescale, or `…Ms`. */

const TWO_32 = 2 ** 32
const HALF_32 = 2 ** 31
/** Below it halves are exact in a double, and so is where a quotient of them is rounded down to. */
const EXACT = 2 ** 52

/**
 * `ticks` of `from` per second as ticks of `to` per second, rounded half away from zero. Exact for every safe integer.
 */
export function rescale(ticks: number, from: number, to: number): number {
  if (from === to) return ticks
  const dividend = Math.abs(ticks) * to + from / 2
  if (dividend < EXACT) return ticks < 0 ? -Math.floor(dividend / from) : Math.floor(dividend / from)
  const magnitude = BigInt(Math.abs(ticks)) * BigInt(to)
  const rounded = Number((2n * magnitude + BigInt(from)) / (2n * BigInt(from)))
  return ticks < 0 ? -rounded : rounded
}

/** Ticks of `timescale` as milliseconds, rounded. */
export function toMs(ticks: number, timescale: number): number {
  return rescale(ticks, timescale, 1000)
}

/** Milliseconds as ticks of `timescale`, rounded. */
export function fromMs(ms: number, timescale: number): number {
  return rescale(ms, 1000, timescale)
}

/**
 * Makes a 32-bit counter endless: each value is taken as the nearest one to its predecessor, so small steps back stay
 * steps back and a wrap goes on (RFC 3550 §A.1 for RTP, RTMP 1.0 §5.3.1.3 "rolls over every 49 days").
 */
export class Unwrap32 {
  #last: number | undefined

  /** `value` is an unsigned 32-bit counter; the result may be negative when it ran back over its start. */
  next(value: number): number {
    const last = this.#last
    if (last === undefined) return (this.#last = value)
    let delta = (value - last) % TWO_32
    if (delta < -HALF_32) delta += TWO_32
    else if (delta >= HALF_32) delta -= TWO_32
    return (this.#last = last + delta)
  }
}
