/** Between two looks, ms. */
const PAUSE_MS = 50
const DEADLINE_MS = 60_000

/**
 * Looks until `look` finds what it wants, and returns that. For what tells nobody when it happens: a file that appears, a
 * number that is reached. Unlike `expect.poll` it may be used in tests that run side by side.
 */
export async function until<T>(
  what: string,
  look: () => T | undefined | Promise<T | undefined>,
  deadlineMs = DEADLINE_MS,
): Promise<T> {
  const deadline = performance.now() + deadlineMs
  for (;;) {
    const found = await look()
    if (found !== undefined) return found
    if (performance.now() > deadline) throw new Error(`waited in vain for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
  }
}
