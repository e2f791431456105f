import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { TapedeckError } from '../src/media/errors.ts'
import { mutate, random } from './mutate.ts'
import type { FuzzTarget } from './target.ts'

/** One input may take this long; more counts as a hang. Generous, since machines are shared. */
const HANG_MS = 5000
/** The heap may grow by this much over a whole run, after a collection where one can be asked for. */
const HEAP_BYTES = 200 * 1024 * 1024
const corpusDirectory = join(import.meta.dirname, 'corpus')

/** An input that broke its target. */
export interface Finding {
  readonly input: Uint8Array
  readonly reason: string
}

/** The well-formed seeds of `target` and the inputs that once broke it. */
export function corpusOf(target: FuzzTarget): Uint8Array[] {
  const directory = join(corpusDirectory, target.name)
  const kept = existsSync(directory)
    ? readdirSync(directory).map((name) => new Uint8Array(readFileSync(join(directory, name))))
    : []
  return [...target.seeds(), ...kept]
}

/** Keeps an input for every later run. Returns its path. */
export function keep(target: FuzzTarget, input: Uint8Array, name: string): string {
  const directory = join(corpusDirectory, target.name)
  mkdirSync(directory, { recursive: true })
  const path = join(directory, name)
  writeFileSync(path, input)
  return path
}

/** Gives `target` its corpus as it is, then `runs` mutations of it. Returns the first input that broke it, if any. */
export async function attack(target: FuzzTarget, runs: number, seed: number): Promise<Finding | undefined> {
  const corpus = corpusOf(target)
  const pick = random(seed)
  const heapBefore = heapBytes()
  for (let i = 0; i < corpus.length + runs; i++) {
    const input = i < corpus.length ? corpus[i] : mutate(corpus[pick(corpus.length)], corpus[pick(corpus.length)], pick)
    const reason = await tryOne(target, input)
    if (reason !== undefined) return { input, reason }
    if (i % 1000 === 999) await new Promise((resolve) => setImmediate(resolve))
  }
  const grown = heapBytes() - heapBefore
  if (grown > HEAP_BYTES)
    return { input: new Uint8Array(), reason: `memory grew by ${Math.round(grown / 1e6)} MB over the run` }
  return undefined
}

async function tryOne(target: FuzzTarget, input: Uint8Array): Promise<string | undefined> {
  const startedAtMs = performance.now()
  try {
    const pending = target.run(input)
    if (pending instanceof Promise) await pending
  } catch (error) {
    if (!(error instanceof TapedeckError))
      return error instanceof Error ? (error.stack ?? error.message) : String(error)
  }
  const tookMs = performance.now() - startedAtMs
  return tookMs > HANG_MS ? `took ${Math.round(tookMs)} ms` : undefined
}

function heapBytes(): number {
  globalThis.gc?.()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
