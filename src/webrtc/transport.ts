import type { TapedeckError } from '../media/errors.ts'

/**
 * `closed` is final. `disconnected` may still come back. After `unreached`, `closed` follows: nothing of ours was answered for so long
 * that ICE consent has expired (RFC 7675 §5.1).
 */
export type TransportState = 'connecting' | 'connected' | 'disconnected' | 'unreached' | 'closed'

/** What a peer's session description says about reaching it (RFC 8839 §5, RFC 8122). */
export interface RemoteTransport {
  readonly iceUfrag: string
  readonly icePwd: string
  readonly fingerprint: { readonly algorithm: string; readonly value: string }
  readonly setup: 'active' | 'passive' | 'actpass'
  /** Candidate lines without `a=`: `candidate:…`. */
  readonly candidates: readonly string[]
}

/** The same of this side; all candidates are known when it is handed out. */
export interface LocalTransport extends RemoteTransport {
  readonly transport: Transport
}

/** What a transport tells. Handlers may throw: the transport ends then, and nothing else. */
export interface TransportHandler {
  /** One decrypted RTP or RTCP packet (RFC 5761 tells which). The bytes are the handler's to keep. */
  onPacket(packet: Uint8Array): void
  /** All that came at once was handed over: a good moment to send what was gathered. */
  onBatch?(): void
  /** `fault`: why it closed by itself, where that is no matter of the network. */
  onState(state: TransportState, fault?: TapedeckError): void
}

/** Counters of a transport. */
export interface TransportStats {
  readonly packetsReceived: number
  readonly bytesReceived: number
  readonly packetsSent: number
  readonly bytesSent: number
  /** Undefined while it is not known. */
  readonly rttMs: number | undefined
  /** The pair that is used, for people: `udp 192.0.2.1:4000 (srflx)`. */
  readonly remote: string | undefined
}

/** One ICE + DTLS + SRTP association with one peer: packets in the clear on this side. The one seam between network and media. */
export interface Transport {
  readonly state: TransportState
  readonly stats: TransportStats
  /** One RTP or RTCP packet; encrypted and gone when this returns, so `packet` may be reused. False when it was not taken. */
  send(packet: Uint8Array): boolean
  /** Trickled by the peer (RFC 8840): `candidate:…`. What cannot be used is passed over. */
  addCandidate(candidate: string): void
  /** Idempotent. `onState('closed')` follows, once. */
  close(): void
}

/** Where and how transports listen. */
export interface TransportOptions {
  /** One UDP port for everybody; 0 takes any free one per peer. */
  readonly udpPort: number
  /** Interface to bind to; all by default. */
  readonly bindAddress?: string
  /** Addresses under which this host is reached from outside: put into host candidates beside the real ones. */
  readonly publicAddresses: readonly string[]
  /** `stun:…`, `turn:user:password@host:port`; TURN only where `udpPort` is 0. */
  readonly iceServers: readonly string[]
  /** Shared with TURN servers that are given without user and password. */
  readonly turnSecret?: string
}

/** Makes transports. */
export interface TransportFactory {
  /**
   * Begins to connect to a peer that has made an offer, as its answerer.
   * @throws MalformedError for what the peer sent
   * @throws TransportError when there can be none
   */
  accept(remote: RemoteTransport, handler: TransportHandler): Promise<LocalTransport>
  /** Ends all transports. */
  close(): Promise<void>
}
