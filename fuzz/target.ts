/** One parser under attack. The runner mutates the seeds and calls `run`; only a TapedeckError may come out of it. */
export interface FuzzTarget {
  readonly name: string
  /** Well-formed inputs to start from. Further ones that once broke something lie in `fuzz/corpus/{name}/`. */
  seeds(): Uint8Array[]
  /** May be async. Must end by itself on any input. */
  run(input: Uint8Array): void | Promise<void>
}
