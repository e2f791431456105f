import type { PeerConnection, Track } from 'node-datachannel'
import { LimitError, type TapedeckError } from '../../media/errors.ts'
import type { Transport, TransportHandler, TransportState, TransportStats } from '../transport.ts'
import { parseCandidate, writeCandidate } from './candidate.ts'
import { FloodWatch, MAX_PACKETS_PER_S } from './flood-watch.ts'
import type { Gatherer, Gathering } from './gathering.ts'
import { MEDIA_ID } from './remote-description.ts'

/** The library takes so many for one peer (ICE_MAX_CANDIDATES_COUNT of libjuice is 30, with those that it finds itself). */
const MAX_REMOTE_CANDIDATES = 20
/** The library looks up both addresses each time it is asked which pair it uses: several system calls. So seldom, ms. */
const REMOTE_INTERVAL_MS = 10_000

/**
 * One peer's association in libdatachannel.
 *
 * What a callback of the library throws ends the process, so none does: when the handler throws, this transport closes.
 */
export class NdcAssociation implements Transport, Gatherer {
  readonly #peer: PeerConnection
  readonly #track: Track
  readonly #handler: TransportHandler
  readonly #gathering: Gathering
  readonly #onClosed: () => void
  readonly #flood = new FloodWatch()
  #state: TransportState = 'connecting'
  #candidates = 0
  #packetsReceived = 0
  #bytesReceived = 0
  #packetsSent = 0
  #bytesSent = 0
  #remoteName: string | undefined
  #remoteAskedMs = Number.NEGATIVE_INFINITY

  /** @param onClosed the library may be let go of */
  constructor(
    peer: PeerConnection,
    track: Track,
    handler: TransportHandler,
    gathering: Gathering,
    onClosed: () => void,
  ) {
    this.#peer = peer
    this.#track = track
    this.#handler = handler
    this.#gathering = gathering
    this.#onClosed = onClosed
    track.onMessage((packet) => this.#received(packet))
    track.onError(() => {})
    track.onClosed(() => {}) // without, the library keeps the track
  }

  get state(): TransportState {
    return this.#state
  }

  get stats(): TransportStats {
    return {
      packetsReceived: this.#packetsReceived,
      bytesReceived: this.#bytesReceived,
      packetsSent: this.#packetsSent,
      bytesSent: this.#bytesSent,
      rttMs: undefined, // the library does not tell that of its STUN checks; RTCP has it
      remote: this.#remote(),
    }
  }

  send(packet: Uint8Array): boolean {
    if (this.#state !== 'connected' && this.#state !== 'disconnected') return false
    try {
      const buffer = Buffer.isBuffer(packet) ? packet : Buffer.from(packet.buffer, packet.byteOffset, packet.length)
      if (!this.#track.sendMessageBinary(buffer)) return false
    } catch {
      return false // between the connection and the track that goes over it
    }
    this.#packetsSent++
    this.#bytesSent += packet.length
    return true
  }

  addCandidate(line: string): void {
    if (this.#state === 'closed' || this.#candidates >= MAX_REMOTE_CANDIDATES) return
    const candidate = parseCandidate(line)
    if (candidate === undefined) return
    this.#candidates++
    try {
      this.#peer.addRemoteCandidate(writeCandidate(candidate), MEDIA_ID)
    } catch {
      // of a kind that the library does not take; there are others
    }
  }

  close(): void {
    this.#close(undefined)
  }

  /** For the owner: the library says so. */
  stateChanged(state: string): void {
    if (state === 'failed' && this.#state !== 'connecting') this.#moved('unreached')
    if (state === 'failed' || state === 'closed') this.close()
    else if (state === 'connected' || state === 'disconnected') this.#moved(state)
    if (state === 'closed') this.#onClosed()
  }

  #moved(state: 'connected' | 'disconnected' | 'unreached'): void {
    if (this.#state === 'closed' || state === this.#state) return
    this.#state = state
    this.#guard(() => this.#handler.onState(state))
  }

  gathered(): void {
    if (this.#state === 'closed') return
    try {
      this.#handler.onBatch?.()
    } catch {
      this.close()
    }
  }

  #received(packet: Buffer): void {
    if (this.#state === 'closed') return
    this.#packetsReceived++
    this.#bytesReceived += packet.length
    if (this.#flood.packet()) {
      this.#close(new LimitError('packets per second of one peer', { limit: MAX_PACKETS_PER_S }))
      return
    }
    this.#gathering.add(this)
    try {
      this.#handler.onPacket(packet)
    } catch {
      this.close()
    }
  }

  #close(fault: TapedeckError | undefined): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    // never from within a callback of the library
    setImmediate(() => {
      ignoringErrors(() => this.#track.close())
      ignoringErrors(() => this.#peer.close())
    })
    try {
      this.#handler.onState('closed', fault)
    } catch {
      // it is closed already
    }
  }

  #guard(call: () => void): void {
    try {
      call()
    } catch {
      this.close()
    }
  }

  #remote(): string | undefined {
    if (this.#state !== 'connected' && this.#state !== 'disconnected') return undefined
    const nowMs = performance.now()
    if (nowMs - this.#remoteAskedMs < REMOTE_INTERVAL_MS) return this.#remoteName
    this.#remoteAskedMs = nowMs
    this.#remoteName = this.#askRemote()
    return this.#remoteName
  }

  #askRemote(): string | undefined {
    try {
      const remote = this.#peer.getSelectedCandidatePair()?.remote
      if (remote === undefined) return undefined
      const address = remote.address.includes(':') ? `[${remote.address}]` : remote.address
      return `${remote.transportType.toLowerCase()} ${address}:${remote.port} (${remote.type})`
    } catch {
      return undefined
    }
  }
}

function ignoringErrors(call: () => void): void {
  try {
    call()
  } catch {
    // closing what is closed
  }
}
