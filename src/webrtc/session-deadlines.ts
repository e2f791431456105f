import type { SessionEnd } from './engine.ts'

/** From the offer to the connection, ms. */
const CONNECTION_MS = 20_000
/** Without RTP, ms: ICE would take 27 s to notice. */
const LOST_MS = 15_000
/** A connection that ends so soon after a packet was ended by the peer, ms. */
const POLITE_MS = 3000

/** How long one session waits for what. Times are `performance.now()`, ms. */
export class SessionDeadlines {
  readonly #openedMs: number
  #connectedMs: number | undefined
  #heardMs: number | undefined
  #isUnreached = false

  constructor(nowMs: number) {
    this.#openedMs = nowMs
  }

  get isConnected(): boolean {
    return this.#connectedMs !== undefined
  }
  /** When the last RTP packet came; undefined before the first. */
  get lastHeardMs(): number | undefined {
    return this.#heardMs
  }

  connected(nowMs: number): void {
    this.#connectedMs ??= nowMs
  }

  /** ICE consent has expired. */
  unreached(): void {
    this.#isUnreached = true
  }

  /** RTP came. */
  heard(nowMs: number): void {
    this.#heardMs = nowMs
  }

  /** The end that a deadline makes; undefined while there is time. */
  check(nowMs: number): SessionEnd | undefined {
    if (this.#connectedMs === undefined) {
      if (nowMs - this.#openedMs < CONNECTION_MS) return undefined
      const message = `no connection within ${CONNECTION_MS / 1000} s; look whether UDP gets through`
      return { reason: 'failed', code: 'TD_SOURCE_CONNECTION', message }
    }
    return nowMs - this.#lastSignMs(this.#connectedMs) < LOST_MS ? undefined : lost(LOST_MS)
  }

  /** What it means that the transport has closed by itself. */
  closed(nowMs: number): SessionEnd {
    if (this.#connectedMs === undefined)
      return { reason: 'failed', code: 'TD_SOURCE_CONNECTION', message: 'the connection failed before it was there' }
    const silentMs = nowMs - this.#lastSignMs(this.#connectedMs)
    if (silentMs > POLITE_MS) return lost(silentMs)
    if (!this.#isUnreached) return { reason: 'finished' }
    const message =
      'it was heard, and confirmed nothing of ours for half a minute: its address has changed; it may come back'
    return { reason: 'lost', code: 'TD_SOURCE_DEAF', message }
  }

  #lastSignMs(connectedMs: number): number {
    return Math.max(connectedMs, this.#heardMs ?? 0)
  }
}

function lost(silentMs: number): SessionEnd {
  return { reason: 'lost', code: 'TD_SOURCE_LOST', message: `no packet for ${(silentMs / 1000).toFixed(1)} s` }
}
