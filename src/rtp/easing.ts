/** Below this an error is left alone; once easing, it goes on down to the second. */
const START_MS = 2
const STOP_MS = 0.1
/** Within this an error is small. */
const SMALL_MS = 5
/** How fast a small one is eased: 0.9 ticks of 90 kHz per frame at 30 frames a second, 0.3 of 48 kHz per 20 ms. */
const SMALL_RATE = 3e-4
/** A large one halves in less than a second. */
const TIME_CONSTANT_MS = 1000
/** 20 ms in a second are not seen; it is the picture that is moved, hardly ever the sound. */
const MAX_RATE = 0.02

/** Takes an error off in steps too small to be noticed; leaves it alone while it is no more than noise. */
export class Easing {
  #isEasing = false

  /** What is to be taken off after `elapsedMs`, ms, signed as the error. */
  step(errorMs: number, elapsedMs: number, maxRate = MAX_RATE): number {
    const size = Math.abs(errorMs)
    this.#isEasing = size > (this.#isEasing ? STOP_MS : START_MS)
    if (!this.#isEasing) return 0
    const rate = Math.min(maxRate, size <= SMALL_MS ? SMALL_RATE : Math.max(SMALL_RATE, size / TIME_CONSTANT_MS))
    return Math.sign(errorMs) * Math.min(size, rate * elapsedMs)
  }
}
