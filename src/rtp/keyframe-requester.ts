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

/** Asks for a keyframe until one comes, not more often than is useful. */
export class KeyframeRequester {
  plis = 0
  firs = 0

  constructor(_options: KeyframeRequesterOptions) {}

  /** One is wanted: is asked for at once, or as soon as the interval is over. */
  request(_nowMs: number): void {}

  /** One came. */
  satisfied(): void {}

  /** Whether one is being waited for. */
  get isWaiting(): boolean {
    return false
  }

  tick(_nowMs: number): void {}
}
