import type { RtcpOutbox } from './rtcp-outbox.ts'

/** How keyframes of one SSRC are asked for. */
export interface KeyframeRequesterOptions {
  readonly ssrc: number
  /** What was negotiated. Without either nothing is sent. */
  readonly pli: boolean
  readonly fir: boolean
  readonly outbox: RtcpOutbox
  /** 500 by default. */
  readonly minIntervalMs?: number
  /** Asked again after so long without a keyframe; 2000 by default. */
  readonly repeatMs?: number
}

/** Of a peer that takes both, every third unanswered request is a FIR. */
const FIR_EVERY = 3

/** Asks for a keyframe until one comes, not more often than is useful. */
export class KeyframeRequester {
  readonly #options: KeyframeRequesterOptions
  readonly #minIntervalMs: number
  readonly #repeatMs: number
  #askedAtMs = Number.NEGATIVE_INFINITY
  /** Asked for since the last one came. */
  #asked = 0
  /** Wanted after it was last asked for. */
  #isWanted = false
  #isWaiting = false
  plis = 0
  firs = 0

  constructor(options: KeyframeRequesterOptions) {
    this.#options = options
    this.#minIntervalMs = options.minIntervalMs ?? 500
    this.#repeatMs = options.repeatMs ?? 2000
  }

  /** One is wanted: is asked for at once, or as soon as the interval is over. */
  request(nowMs: number): void {
    this.#isWanted = this.#isWaiting = true
    this.tick(nowMs)
  }

  /** One came. */
  satisfied(): void {
    this.#isWanted = this.#isWaiting = false
    this.#asked = 0
  }

  /** Whether one is being waited for. */
  get isWaiting(): boolean {
    return this.#isWaiting
  }

  tick(nowMs: number): void {
    if (!this.#isWaiting) return
    if (nowMs - this.#askedAtMs < (this.#isWanted ? this.#minIntervalMs : this.#repeatMs)) return
    const { ssrc, pli, fir, outbox } = this.#options
    this.#isWanted = false
    this.#askedAtMs = nowMs
    this.#asked++
    if (fir && (!pli || this.#asked % FIR_EVERY === 0)) outbox.fir(ssrc, this.firs++)
    else if (pli) {
      this.plis++
      outbox.pli(ssrc)
    }
  }
}
