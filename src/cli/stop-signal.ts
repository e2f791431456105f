const SIGNALS = ['SIGINT', 'SIGTERM'] as const

/** Ctrl-C and SIGTERM: the first asks for an orderly end, the second does not wait for it. */
export class StopSignal {
  /** Resolves with the name of the first signal. */
  readonly first: Promise<NodeJS.Signals>
  readonly #handlers = new Map<NodeJS.Signals, () => void>()
  #count = 0

  constructor(onSecond: () => void) {
    const { promise, resolve } = Promise.withResolvers<NodeJS.Signals>()
    this.first = promise
    for (const signal of SIGNALS) {
      const handler = (): void => {
        if (this.#count++ === 0) resolve(signal)
        else onSecond()
      }
      this.#handlers.set(signal, handler)
      process.on(signal, handler)
    }
  }

  /** Leaves signals to the system again. */
  release(): void {
    for (const [signal, handler] of this.#handlers) process.off(signal, handler)
  }
}
