import type { FuzzTarget } from '../../../fuzz/target.ts'
import { TapedeckError } from '../../../src/media/errors.ts'

/** Mulberry32: the same numbers in every run. */
export function seededRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Runs the target on its seeds and on `rounds` mutations of them. Anything but a TapedeckError comes out, with the input. */
export async function attack(target: FuzzTarget, rounds: number, seed = 1): Promise<void> {
  const random = seededRandom(seed)
  const seeds = target.seeds()
  for (const input of seeds) await attempt(target, input)
  for (let i = 0; i < rounds; i++) await attempt(target, mutate(seeds[Math.floor(random() * seeds.length)], random))
}

async function attempt(target: FuzzTarget, input: Uint8Array): Promise<void> {
  try {
    await target.run(input)
  } catch (error) {
    if (error instanceof TapedeckError) return
    const hex = Buffer.from(input.subarray(0, 4096)).toString('hex')
    throw new Error(`${target.name} broke on ${hex}`, { cause: error })
  }
}

function mutate(seed: Uint8Array, random: () => number): Uint8Array {
  let bytes = Uint8Array.from(seed)
  const below = (bound: number) => Math.floor(random() * bound)
  for (let n = 1 + below(4); n > 0; n--) {
    const at = below(bytes.length)
    switch (below(5)) {
      case 0:
        bytes[at] = below(256)
        break
      case 1:
        bytes[at] ^= 1 << below(8)
        break
      case 2:
        bytes = bytes.slice(0, at)
        break
      case 3:
        bytes.fill(random() < 0.5 ? 0xff : 0, at, at + 1 + below(4))
        break
      case 4: {
        const piece = bytes.slice(at, at + below(64))
        bytes = Uint8Array.from([...bytes.subarray(0, at), ...piece, ...bytes.subarray(at)])
        break
      }
    }
    if (bytes.length === 0) break
  }
  return bytes
}
