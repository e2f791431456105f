import { join } from 'node:path'
import { isMainThread, Worker, workerData } from 'node:worker_threads'
import { keep } from './corpus.ts'

/** An input that takes this long never ends. */
const HANG_MS = 60_000
const LOOK_MS = 5000
const MAX_INPUT_BYTES = 64 * 1024
const MAX_NAME_BYTES = 64

/** What both threads see. Fields of `numbers`: how many inputs there were; bytes of the name; bytes of the input. */
interface Sight {
  readonly numbers: Int32Array
  readonly name: Uint8Array
  readonly input: Uint8Array
}

function sightOf(shared: SharedArrayBuffer): Sight {
  return {
    numbers: new Int32Array(shared, 0, 3),
    name: new Uint8Array(shared, 12, MAX_NAME_BYTES),
    input: new Uint8Array(shared, 12 + MAX_NAME_BYTES, MAX_INPUT_BYTES),
  }
}

/** A second thread that keeps the input which the first never comes back from, and ends the process. */
export class Watchdog {
  readonly #worker: Worker
  readonly #sight: Sight
  readonly #encoder = new TextEncoder()

  constructor() {
    const shared = new SharedArrayBuffer(12 + MAX_NAME_BYTES + MAX_INPUT_BYTES)
    this.#sight = sightOf(shared)
    this.#worker = new Worker(join(import.meta.dirname, 'watchdog.ts'), { workerData: shared })
    this.#worker.unref()
  }

  /** From now on this one is being worked on. */
  watch(targetName: string, input: Uint8Array): void {
    const { numbers, name, input: seen } = this.#sight
    numbers[1] = this.#encoder.encodeInto(targetName, name).written
    numbers[2] = Math.min(input.length, seen.length)
    seen.set(input.subarray(0, seen.length))
    Atomics.add(numbers, 0, 1)
  }

  async close(): Promise<void> {
    await this.#worker.terminate()
  }
}

function guard({ numbers, name, input }: Sight): void {
  let last = 0
  let sinceMs = performance.now()
  setInterval(() => {
    const count = Atomics.load(numbers, 0)
    if (count !== last || count === 0) {
      last = count
      sinceMs = performance.now()
    } else if (performance.now() - sinceMs > HANG_MS) {
      const target = new TextDecoder().decode(name.slice(0, numbers[1]))
      const path = keep(target, input.slice(0, numbers[2]), `hang-${count}.bin`)
      process.stderr.write(`${target}: BROKEN by ${path}: no end after ${HANG_MS} ms\n`)
      setTimeout(() => process.kill(process.pid, 'SIGKILL'), LOOK_MS / 10)
    }
  }, LOOK_MS)
}

if (!isMainThread && workerData instanceof SharedArrayBuffer) guard(sightOf(workerData))
