import { createServer, type Server } from 'node:net'
import { until } from './until.ts'

/** Abstract: gone with whoever holds it. */
const NAME = '\0tapedeck-test-browser-turn'
/** For a `beforeAll` that waits for its turn, ms. */
export const TURN_TIMEOUT_MS = 900_000

/**
 * The turn of one test file whose peers encode in real time, browsers and others: what several encode at once on two cores is late, and
 * says so of nothing. Resolves when it has come, with what hands it on.
 */
export async function browserTurn(): Promise<() => Promise<void>> {
  const server = await until('the turn of this browser', taken, TURN_TIMEOUT_MS - 200_000)
  return () => new Promise((resolve) => server.close(() => resolve()))
}

function taken(): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(undefined))
    server.listen(NAME, () => resolve(server))
  })
}
