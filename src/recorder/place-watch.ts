import type { Part } from './part.ts'

/** How often it is looked whether a file is still in its place, ms. */
const INTERVAL_MS = 2000

/** Notices when the file of a part is not where it was made any more: people delete, rename, unmount. */
export class PlaceWatch {
  readonly #maxBacklogBytes: number
  readonly #onGone: (part: Part) => void
  #isLooking = false
  #lookedAtMs = 0

  /** With more than `maxBacklogBytes` waiting it is not looked: a disk that blocks would hold the question, too. */
  constructor(maxBacklogBytes: number, onGone: (part: Part) => void) {
    this.#maxBacklogBytes = maxBacklogBytes
    this.#onGone = onGone
  }

  /** Called twice a second. */
  tick(part: Part, nowMs: number): void {
    if (this.#isLooking || part.gone || nowMs - this.#lookedAtMs < INTERVAL_MS) return
    if (part.backlogBytes > this.#maxBacklogBytes) return
    this.#isLooking = true
    this.#lookedAtMs = nowMs
    void part.inPlace().then((inPlace) => {
      this.#isLooking = false
      if (inPlace || part.state !== 'open') return
      part.gone = true
      this.#onGone(part)
    })
  }
}
