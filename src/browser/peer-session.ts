/// <reference lib="dom" />
import { authorization, type ConnectionOptions } from './connection-options.ts'
import { refusalOf } from './refusal.ts'

/** Candidates that were not found within this are not waited for, ms: the server learns our address from what we send. */
const GATHERING_MS = 500
/** From the answer to the connection, ms. */
const CONNECTION_MS = 10_000
/** A connection that is interrupted for so long is given up, ms. */
const INTERRUPTION_MS = 3000

/** A WHIP or WHEP session: one offer, one connection. Lives once. */
export class PeerSession {
  readonly peer: RTCPeerConnection
  readonly #options: ConnectionOptions
  #location: URL | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  #isClosed = false
  /** The connection has broken. Once, and not when it was closed. */
  onLost: (() => void) | undefined

  constructor(options: ConnectionOptions) {
    this.#options = options
    this.peer = new RTCPeerConnection({ iceServers: [...(options.iceServers ?? [])], bundlePolicy: 'max-bundle' })
  }

  /**
   * Offers what `peer` has now at the address that `endpoint` gives; resolves once it is connected.
   * @throws RefusalError, and what `fetch` throws when nobody answers
   */
  async connect(endpoint: () => URL): Promise<void> {
    await this.peer.setLocalDescription()
    await this.#gathered()
    const url = endpoint()
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/sdp', ...(await authorization(this.#options)) },
      body: this.peer.localDescription?.sdp ?? '',
    })
    if (response.status !== 201) throw await refusalOf(response)
    const location = response.headers.get('location')
    if (location !== null) this.#location = new URL(location, url)
    const sdp = await response.text()
    if (this.#isClosed) this.#remove()
    else await this.peer.setRemoteDescription({ type: 'answer', sdp })
    await this.#connected()
    this.peer.addEventListener('connectionstatechange', () => this.#watch())
    this.#watch()
  }

  /** Ends it, at the server too. Idempotent. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    clearTimeout(this.#timer)
    this.peer.close()
    this.#remove()
  }

  /** Looks now whether the connection stands. */
  check(): void {
    if (!this.#isClosed && this.peer.connectionState !== 'connected') this.#lose()
  }

  #gathered(): Promise<void> {
    if (this.peer.iceGatheringState === 'complete') return Promise.resolve()
    return new Promise((resolve) => {
      setTimeout(resolve, GATHERING_MS)
      this.peer.addEventListener('icegatheringstatechange', () => {
        if (this.peer.iceGatheringState === 'complete') resolve()
      })
    })
  }

  #connected(): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = () => reject(new Error('WebRTC cannot reach the server'))
      const timer = setTimeout(fail, CONNECTION_MS)
      const look = () => {
        const { connectionState } = this.peer
        if (connectionState === 'connected') resolve()
        else if (connectionState === 'failed' || connectionState === 'closed' || this.#isClosed) fail()
        else return
        clearTimeout(timer)
      }
      this.peer.addEventListener('connectionstatechange', look)
      look()
    })
  }

  #watch(): void {
    const { connectionState } = this.peer
    clearTimeout(this.#timer)
    if (connectionState === 'failed' || connectionState === 'closed') this.#lose()
    else if (connectionState === 'disconnected') {
      this.#timer = setTimeout(() => this.#lose(), INTERRUPTION_MS)
      void this.#ask()
    }
  }

  /** A server that was started anew does not know us: then nothing is waited for. */
  async #ask(): Promise<void> {
    const location = this.#location
    if (location === undefined) return
    const response = await fetch(location, { headers: await authorization(this.#options) }).catch(() => undefined)
    if (response?.status === 404) this.#lose()
  }

  #lose(): void {
    const { onLost } = this
    this.onLost = undefined
    this.close()
    onLost?.()
  }

  /** Nobody waits for the answer: the page may be about to go. */
  #remove(): void {
    const location = this.#location
    this.#location = undefined
    if (location === undefined) return
    void authorization(this.#options)
      .then((headers) => fetch(location, { method: 'DELETE', headers, keepalive: true }))
      .catch(() => undefined)
  }
}
