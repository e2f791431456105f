/** Signed distance from `from` to `to` in the circle of 16-bit sequence numbers, -32768 to 32767 (RFC 3550 §A.1). */
export function sequenceDelta(from: number, to: number): number {
  return ((to - from) << 16) >> 16
}

/** Makes 16-bit sequence numbers endless: each is taken as the nearest to its predecessor (RFC 3550 §A.1). */
export class Unwrap16 {
  #last: number | undefined

  /** `value` is 16 bit. What goes back over the start is below 0. */
  next(value: number): number {
    const last = this.#last
    return (this.#last = last === undefined ? value : last + sequenceDelta(last & 0xffff, value))
  }
}
