/** What shares the budget: a `GopCache`. */
export interface BudgetedCache {
  readonly bytes: number
  /** Somebody plays the stream: others are likelier to join it. */
  readonly watched: boolean
  clear(): void
}

/**
 * Bounds the GOP caches of all streams together. Beyond the bound the largest one goes, of a stream that nobody watches as
 * long as there is one: it is the deepest in its GOP, so the next keyframe is near and who joins waits the least.
 */
export class GopBudget {
  readonly #maxBytes: number
  readonly #caches = new Set<BudgetedCache>()
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** What all caches hold, bytes. */
  get bytes(): number {
    return this.#bytes
  }

  /** For caches: `cache` has taken in so many bytes more. May clear any cache, this one too. */
  grow(cache: BudgetedCache, bytes: number): void {
    this.#caches.add(cache)
    this.#bytes += bytes
    while (this.#bytes > this.#maxBytes) this.#clearLargest()
  }

  /** For caches: `cache` is empty now, and had `bytes`. */
  shrink(cache: BudgetedCache, bytes: number): void {
    this.#caches.delete(cache)
    this.#bytes -= bytes
  }

  #clearLargest(): void {
    let largest: BudgetedCache | undefined
    for (const cache of this.#caches) {
      if (largest === undefined || weight(cache) > weight(largest)) largest = cache
    }
    largest?.clear()
  }
}

/** Unwatched caches weigh more than any watched one. */
function weight(cache: BudgetedCache): number {
  return cache.watched ? cache.bytes : cache.bytes + 2 ** 40
}
