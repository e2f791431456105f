/** Signed distance from `from` to `to` in the circle of 16-bit sequence numbers, -32768 to 32767 (RFC 3550 §A.1). */
export function sequenceDelta(from: number, to: number): number {
  return ((to - from) << 16) >> 16
}
