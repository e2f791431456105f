import type { StoreHealth } from './store.ts'

/** Whether a store can be had, as told by those who try. */
export class Reachability {
  #health: StoreHealth = { isReachable: true, sinceMs: Date.now(), problem: undefined }
  readonly #listeners = new Set<(health: StoreHealth) => void>()

  get health(): StoreHealth {
    return this.#health
  }

  listen(listener: (health: StoreHealth) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  reached(): void {
    if (!this.#health.isReachable)
      this.#become({ isReachable: true, sinceMs: Date.now(), problem: this.#health.problem })
  }

  failed(problem: string): void {
    if (this.#health.isReachable) this.#become({ isReachable: false, sinceMs: Date.now(), problem })
    else this.#health = { ...this.#health, problem }
  }

  #become(health: StoreHealth): void {
    this.#health = health
    for (const listener of [...this.#listeners]) listener(health)
  }
}
