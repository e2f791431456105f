import type { StreamAction } from '../../live/authorizer.ts'
import type { StreamAddress } from '../../live/stream.ts'

/** A session that was begun over HTTP, as far as HTTP goes on with it. */
export interface SignalledSession {
  readonly id: string
  readonly address: StreamAddress
  /** Our session description. */
  readonly answer: string
  /** Of its ICE session, quoted. */
  readonly etag: string
  /** The peer's name of that ICE session; undefined when its offer had none. */
  readonly iceUfrag: string | undefined
  addCandidates(candidates: readonly string[]): void
  /** The peer is through. */
  finish(reason: 'finished'): void
}

/** What a request to begin a session says. */
export interface SignalledOffer {
  /** A session description, as it came. */
  readonly sdp: string
  readonly peer: string
  readonly labels: Readonly<Record<string, string>>
}

/** A way in or out by WebRTC: `WhipIngest` and `WhepPlayback` are such. */
export interface SignallingDoor {
  find(id: string): SignalledSession | undefined
  create(address: StreamAddress, offer: SignalledOffer): Promise<SignalledSession>
}

/** What the two protocols differ in. */
export interface SignallingProtocol {
  readonly name: 'whip' | 'whep'
  readonly action: StreamAction
  readonly door: SignallingDoor
}
