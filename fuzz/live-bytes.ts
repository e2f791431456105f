import { setImmediate as nextTurn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collected: unknown = runInNewContext('gc')

/** What is still held after a garbage collection, bytes: objects, and buffers beside the heap. */
export async function liveBytes(): Promise<number> {
  for (let i = 0; i < 2; i++) {
    if (typeof collected === 'function') collected()
    await nextTurn() // finalisers
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
