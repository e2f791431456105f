/** A small, fast, seeded generator of random numbers (mulberry32), so that every run can be repeated. */
export function random(seed: number): (below: number) => number {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % Math.max(1, below)
  }
}

/** Values at which length and size fields break. */
const EDGES = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0xffffff, 0x7fffffff, 0x80000000, 0xffffffff]
const MAX_INPUT_BYTES = 64 * 1024

type Mutation = (input: Uint8Array, pick: (below: number) => number, other: Uint8Array) => Uint8Array

const MUTATIONS: readonly Mutation[] = [
  function flipBit(input, pick) {
    if (input.length > 0) input[pick(input.length)] ^= 1 << pick(8)
    return input
  },
  function setByte(input, pick) {
    if (input.length > 0) input[pick(input.length)] = pick(256)
    return input
  },
  function setEdge(input, pick) {
    const width = 1 << pick(4)
    const at = pick(input.length)
    let value = EDGES[pick(EDGES.length)]
    for (let i = Math.min(width, input.length - at) - 1; i >= 0; i--) {
      input[at + i] = value & 0xff
      value = Math.floor(value / 256)
    }
    return input
  },
  function cut(input, pick) {
    return input.subarray(0, pick(input.length + 1))
  },
  function remove(input, pick) {
    const at = pick(input.length)
    return join(input.subarray(0, at), input.subarray(at + 1 + pick(Math.min(64, input.length - at))))
  },
  function repeat(input, pick) {
    const at = pick(input.length)
    const end = at + pick(Math.min(256, input.length - at) + 1)
    return join(input.subarray(0, end), input.subarray(at))
  },
  function insert(input, pick) {
    const at = pick(input.length + 1)
    const noise = Uint8Array.from({ length: 1 + pick(8) }, () => pick(256))
    return join(input.subarray(0, at), noise, input.subarray(at))
  },
  function splice(input, pick, other) {
    return join(input.subarray(0, pick(input.length + 1)), other.subarray(pick(other.length + 1)))
  },
]

/** A new input: `seed` with one to eight changes, at most 64 KiB. Neither argument is touched. */
export function mutate(seed: Uint8Array, other: Uint8Array, pick: (below: number) => number): Uint8Array {
  let input = new Uint8Array(seed.subarray(0, MAX_INPUT_BYTES))
  for (let left = 1 + pick(8); left > 0; left--) {
    input = new Uint8Array(MUTATIONS[pick(MUTATIONS.length)](input, pick, other).subarray(0, MAX_INPUT_BYTES))
  }
  return input
}

function join(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts))
}
