/**
 * Waits for `work`, at most `patienceMs`. True when it was done; false when that takes longer, and it is left to itself: what it
 * throws afterwards is nobody's. Throws what it throws meanwhile.
 */
export async function isDoneWithin(work: Promise<unknown>, patienceMs: number): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<false>()
  const timer = setTimeout(() => resolve(false), patienceMs)
  try {
    return await Promise.race([work.then(() => true), late])
  } finally {
    clearTimeout(timer)
  }
}
