/// <reference lib="dom" />
import { trickleCandidates } from './candidate-trickle.ts'
import { authorization, type ConnectionOptions } from './connection-options.ts'
import { iceServersOf } from './ice-servers.ts'
import { refusalOf, UnreachableError } from './refusal.ts'

/** From the answer to the connection, ms. */
const CONNECTION_MS = 10_000
/** For the answer to an offer, ms. */
const ANSWER_MS = 15_000
/** A connection that is interrupted for so long is given up, ms. */
const INTERRUPTION_MS = 3000
/** The answer to a goodbye is not waited for any longer, ms. */
const GOODBYE_MS = 1000

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
    this.peer = new RTCPeerConnection(this.#configuration([]))
  }

  /**
   * Offers what `peer` has now at the address that `endpoint` gives for its `mid`s, in their order; resolves once it is connected.
   *
   * Candidates are looked for when the answer has named the servers that tell them, and trickled.
   * @throws RefusalError, UnreachableError, and what `fetch` throws when nobody answers
   */
  async connect(endpoint: (mids: readonly string[]) => URL): Promise<void> {
    const offer = await this.peer.createOffer()
    const offered = offer.sdp ?? ''
    const url = endpoint([...offered.matchAll(/^a=mid:(.*?)\r?$/gm)].map(([, mid]) => mid))
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/sdp', ...(await authorization(this.#options)) },
      body: offered,
      signal: AbortSignal.timeout(ANSWER_MS),
    })
    if (response.status !== 201) throw await refusalOf(response)
    const location = response.headers.get('location')
    if (location !== null) this.#location = new URL(location, url)
    const sdp = await response.text()
    if (this.#isClosed) void this.#remove()
    else {
      this.#prepare(response.headers)
      await this.peer.setLocalDescription(offer)
      await this.peer.setRemoteDescription({ type: 'answer', sdp })
    }
    await this.#connected()
    this.peer.addEventListener('connectionstatechange', () => this.#watch())
    this.#watch()
  }

  /** Ends it, at the server too. Idempotent. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.onLost = undefined
    clearTimeout(this.#timer)
    void this.#remove().finally(() => this.peer.close()) // the other way round the server knows of no such session any more
  }

  /** Looks now whether the connection stands. */
  check(): void {
    if (!this.#isClosed && this.peer.connectionState !== 'connected') this.#lose()
  }

  #configuration(named: readonly RTCIceServer[]): RTCConfiguration {
    const { iceServers = named, iceTransportPolicy = 'all' } = this.#options
    return { iceServers: [...iceServers], iceTransportPolicy, bundlePolicy: 'max-bundle' }
  }

  /** Before candidates are looked for. */
  #prepare(answered: Headers): void {
    const servers = iceServersOf(answered.get('link'))
    if (servers.length > 0) this.peer.setConfiguration(this.#configuration(servers))
    const etag = answered.get('etag')
    if (etag !== null) trickleCandidates(this.peer, (fragment) => void this.#tell(fragment, etag))
  }

  /** What does not get through is not missed: the server learns our address from what we send, too. */
  async #tell(body: string, etag: string): Promise<void> {
    const location = this.#location
    if (location === undefined || this.peer.connectionState === 'connected') return
    const type = { 'content-type': 'application/trickle-ice-sdpfrag', 'if-match': etag }
    const headers = { ...type, ...(await authorization(this.#options)) }
    await fetch(location, { method: 'PATCH', headers, body }).catch(() => undefined)
  }

  #connected(): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = () => reject(new UnreachableError('WebRTC cannot reach the server'))
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

  /** Says goodbye to the server, also when the page is about to go. Never throws. */
  async #remove(): Promise<void> {
    const location = this.#location
    this.#location = undefined
    if (location === undefined) return
    try {
      const headers = await authorization(this.#options)
      await fetch(location, { method: 'DELETE', headers, keepalive: true, signal: AbortSignal.timeout(GOODBYE_MS) })
    } catch {
      // it finds out by itself
    }
  }
}
