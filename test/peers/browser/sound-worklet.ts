/// <reference lib="dom" />

// Runs in the audio thread of the page: beeps whenever the wall clock is at a whole multiple of the period.

import { BEEP_MS, TONE_HZ } from './time-code.ts'

declare const currentFrame: number
declare const sampleRate: number
declare function registerProcessor(name: string, processor: unknown): void
declare class AudioWorkletProcessor {
  readonly port: MessagePort
}

const LOUDNESS = 0.5
/** How long a look at the clock counts, s. */
const WINDOW_SECONDS = 2

/**
 * Sound is made in bursts, just before it is handed on. A microphone would hand it on just after the last of it was heard: so a
 * sample belongs to the moment at which it is handed on, less what comes after it in its burst.
 */
class Beeper extends AudioWorkletProcessor {
  readonly #periodMs: number
  /** Wall clock at sample 0, ms: the least that was seen of late. */
  #zeroMs = Number.POSITIVE_INFINITY
  /** The least of the window that runs. */
  #least = Number.POSITIVE_INFINITY
  #untilFrame = WINDOW_SECONDS * sampleRate
  #isFirst = true
  #beepAt = -1

  constructor({ processorOptions }: { processorOptions: { markPeriodMs: number } }) {
    super()
    this.#periodMs = processorOptions.markPeriodMs
  }

  process(_inputs: Float32Array[][], outputs: Float32Array[][]): boolean {
    const samples = outputs[0][0]
    this.#look(samples.length)
    for (let i = 0; i < samples.length; i++) {
      const at = currentFrame + i
      const inPeriodMs =
        (((this.#zeroMs + (at * 1000) / sampleRate) % this.#periodMs) + this.#periodMs) % this.#periodMs
      if (this.#beepAt < 0 && inPeriodMs < 1000 / sampleRate) this.#beepAt = at
      const sinceMs = ((at - this.#beepAt) * 1000) / sampleRate
      if (this.#beepAt >= 0 && sinceMs >= BEEP_MS) this.#beepAt = -1
      samples[i] = this.#beepAt < 0 ? 0 : LOUDNESS * Math.sin((2 * Math.PI * TONE_HZ * sinceMs) / 1000)
    }
    return true
  }

  #look(samples: number): void {
    const zeroMs = Date.now() + 0.5 - ((currentFrame + samples) * 1000) / sampleRate
    this.#least = Math.min(this.#least, zeroMs)
    if (this.#isFirst) this.#zeroMs = this.#least
    if (currentFrame < this.#untilFrame) return
    this.#isFirst = false
    this.#untilFrame = currentFrame + WINDOW_SECONDS * sampleRate
    this.#zeroMs = this.#least
    this.#least = Number.POSITIVE_INFINITY
    this.port.postMessage({ zeroMs: this.#zeroMs, frame: currentFrame })
  }
}

registerProcessor('beeper', Beeper)
