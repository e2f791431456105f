/** Granularity of all block memory, bytes: small enough that a keyframe of 70 KB wastes little. */
export const PAGE_BYTES = 8 * 1024
/** Memory is asked of the system in pieces of this, bytes. */
export const SLAB_BYTES = 2 * 1024 * 1024
const PAGES = SLAB_BYTES / PAGE_BYTES

/** One large piece of memory, given out in runs of pages. */
export class Slab {
  readonly #memory = Buffer.allocUnsafeSlow(SLAB_BYTES)
  readonly #taken = new Uint8Array(PAGES)
  freePages = PAGES

  get isIdle(): boolean {
    return this.freePages === PAGES
  }

  /** The number of the first page of a run of `pages` free ones, now taken; -1 when there is no such run. */
  take(pages: number): number {
    if (this.freePages < pages) return -1
    const taken = this.#taken
    let run = 0
    for (let page = 0; page < PAGES; page++) {
      run = taken[page] === 0 ? run + 1 : 0
      if (run < pages) continue
      const first = page - pages + 1
      taken.fill(1, first, page + 1)
      this.freePages -= pages
      return first
    }
    return -1
  }

  bytes(first: number, pages: number): Buffer {
    return this.#memory.subarray(first * PAGE_BYTES, (first + pages) * PAGE_BYTES)
  }

  give(first: number, pages: number): void {
    this.#taken.fill(0, first, first + pages)
    this.freePages += pages
  }
}
