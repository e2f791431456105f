import { isDoneWithin } from '../media/patience.ts'

/** A disk or a state that does not answer is not waited for any longer, ms. */
const PATIENCE_MS = 1000

/** Reads one number of the page: what cannot be asked now is left out, and the page is for the rest, too. Never throws. */
export async function patiently(read: () => void | Promise<void>): Promise<void> {
  const asked = async () => read()
  await isDoneWithin(
    asked().catch(() => undefined),
    PATIENCE_MS,
  )
}
