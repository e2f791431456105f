import { getHeapStatistics } from 'node:v8'
import { TapedeckError } from '../src/media/errors.ts'
import { corpusOf } from './corpus.ts'
import { liveBytes } from './live-bytes.ts'
import { mutate, random } from './mutate.ts'
import type { FuzzTarget } from './target.ts'
import type { Watchdog } from './watchdog.ts'

/** One input may take this long; more counts as a hang. The best of three tries counts, since machines are shared. */
const SLOW_MS = 1000
const SLOW_TRIES = 3
/** No input is larger than 64 KiB; what one makes its target take may be this, bytes. */
const MAX_BYTES_PER_INPUT = 48 * 1024 * 1024
/** What is still held may grow by this over three quarters of a run, bytes: in a million inputs, 5 bytes of each. */
const MAX_LEAK_BYTES = 4 * 1024 * 1024
/** Before that the engine has compiled and cached what it will. */
const WARM_UP_SHARE = 0.25
/** Between breaths of the event loop, inputs. */
const BREATH_INPUTS = 1000

/** An input that broke its target; undefined where it was all of them together. */
export interface Finding {
  readonly input: Uint8Array | undefined
  readonly reason: string
}

/** How an attack went. */
export interface Attack {
  readonly finding: Finding | undefined
  readonly inputs: number
  /** Of those, how many the target refused with a TapedeckError. */
  readonly refused: number
  readonly slowestMs: number
  /** Memory that a single input made its target take, at most, bytes. */
  readonly largestBytes: number
  /** By how much what is still held has grown after the warm-up, bytes. */
  readonly leakedBytes: number
}

/** Gives `target` its corpus as it is, then `runs` mutations of it, and stops at the first input that breaks it. */
export async function attack(target: FuzzTarget, runs: number, seed: number, watchdog?: Watchdog): Promise<Attack> {
  const assault = new Assault(target, watchdog)
  const corpus = corpusOf(target)
  const pick = random(seed)
  const total = corpus.length + runs
  const warmUp = corpus.length + Math.floor(runs * WARM_UP_SHARE)
  let heldBefore = 0
  for (let i = 0; i < total && assault.finding === undefined; i++) {
    if (i === warmUp) heldBefore = await liveBytes()
    const seeded = corpus[i < corpus.length ? i : pick(corpus.length)]
    await assault.tryOne(i < corpus.length ? seeded : mutate(seeded, corpus[pick(corpus.length)], pick))
    if (i % BREATH_INPUTS === BREATH_INPUTS - 1) await new Promise((resolve) => setImmediate(resolve))
  }
  const leakedBytes = assault.finding === undefined ? (await liveBytes()) - heldBefore : 0
  if (leakedBytes > MAX_LEAK_BYTES) {
    const reason = `${(leakedBytes / 1e6).toFixed(1)} MB more are held after ${total - warmUp} inputs`
    assault.finding = { input: undefined, reason }
  }
  const { finding, inputs, refused, slowestMs, largestBytes } = assault
  return { finding, inputs, refused, slowestMs, largestBytes, leakedBytes }
}

/** One attack under way. */
class Assault {
  readonly #target: FuzzTarget
  readonly #watchdog: Watchdog | undefined
  finding: Finding | undefined
  inputs = 0
  refused = 0
  slowestMs = 0
  largestBytes = 0

  constructor(target: FuzzTarget, watchdog: Watchdog | undefined) {
    this.#target = target
    this.#watchdog = watchdog
  }

  async tryOne(input: Uint8Array): Promise<void> {
    this.inputs++
    const takenBefore = takenBytes()
    let tookMs = await this.#time(input)
    const grownBytes = takenBytes() - takenBefore
    for (let tries = 1; tookMs > SLOW_MS && tries < SLOW_TRIES && this.finding === undefined; tries++) {
      tookMs = Math.min(tookMs, await this.#time(input))
    }
    this.slowestMs = Math.max(this.slowestMs, tookMs)
    this.largestBytes = Math.max(this.largestBytes, grownBytes)
    if (tookMs > SLOW_MS) this.finding ??= { input, reason: `took ${Math.round(tookMs)} ms` }
    if (grownBytes > MAX_BYTES_PER_INPUT) {
      this.finding ??= { input, reason: `took ${(grownBytes / 1e6).toFixed(0)} MB of memory` }
    }
  }

  async #time(input: Uint8Array): Promise<number> {
    this.#watchdog?.watch(this.#target.name, input)
    const startedAtMs = performance.now()
    try {
      const pending = this.#target.run(input)
      if (pending instanceof Promise) await pending
    } catch (error) {
      if (error instanceof TapedeckError) this.refused++
      else this.finding = { input, reason: error instanceof Error ? (error.stack ?? error.message) : String(error) }
    }
    return performance.now() - startedAtMs
  }
}

/** Taken and not collected yet, bytes: cheap enough to ask for every input. */
function takenBytes(): number {
  const { used_heap_size, external_memory } = getHeapStatistics()
  return used_heap_size + external_memory
}
