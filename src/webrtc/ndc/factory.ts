import { isIP } from 'node:net'
import type { IceServer, PeerConnection, RtcConfig, Track } from 'node-datachannel'
import { UnsupportedError } from '../../media/errors.ts'
import type {
  LocalTransport,
  RemoteTransport,
  TransportFactory,
  TransportHandler,
  TransportOptions,
} from '../transport.ts'
import { TransportError } from '../transport-error.ts'
import { NdcAssociation } from './association.ts'
import { Gathering } from './gathering.ts'
import { parseIceServer } from './ice-server.ts'
import { readAnswer } from './local-description.ts'
import { MEDIA_ID, writeOffer } from './remote-description.ts'

type Library = typeof import('node-datachannel')

/** How long STUN and TURN servers are waited for; what is known then is what the peer is told, ms. */
const GATHERING_DEADLINE_MS = 2000
/**
 * When a peer is first sought at its own addresses, after it was answered, ms. It seeks us at once, and so is found before. Sought
 * before it has read the answer, a libdatachannel of its own (OBS) may fail; and it is connected before us only if we were not
 * the first, so that our DTLS handshake finds it listening, and need not be repeated after a second (RFC 6347 §4.2.4.1).
 */
const FIRST_CHECK_MS = 250
/** The library says when it has closed; whoever it forgets is let go of after this, ms. */
const CLOSING_DEADLINE_MS = 5000

/**
 * Transports by libdatachannel, as the one who answers. It knows each peer as a single media line, and gives all its packets in
 * the clear; everything else about sessions is not its business.
 *
 * Natively implemented: it may end the process. It cannot run in worker threads.
 */
export class NdcTransportFactory implements TransportFactory {
  readonly #options: TransportOptions
  readonly #config: Omit<RtcConfig, 'iceServers'>
  readonly #gathering: Gathering
  readonly #associations = new Set<NdcAssociation>()
  /** Held until the library has closed them: it calls back into what would be collected. */
  readonly #held = new Set<unknown>()
  #library: Promise<Library> | undefined
  #closed = false
  #onIdle: () => void = () => {}

  /**
   * @param gatheringMs how long a busy thread sleeps for packets to gather, which it may where it has nothing else to do; not at all
   * by default
   * @throws UnsupportedError for an ICE server or a public address that is none
   */
  constructor(options: TransportOptions, gatheringMs = 0) {
    for (const address of options.publicAddresses) {
      if (isIP(address) === 0 || address.includes('%'))
        throw new UnsupportedError(`public address ${address}: give an IPv4 or IPv6 address`)
    }
    iceServersOf(options)
    this.#options = options
    this.#gathering = new Gathering(gatheringMs)
    const onePort = { enableIceUdpMux: true, portRangeBegin: options.udpPort, portRangeEnd: options.udpPort }
    this.#config = {
      ...(options.bindAddress === undefined ? {} : { bindAddress: options.bindAddress }),
      ...(options.udpPort === 0 ? {} : onePort),
    }
  }

  async accept(remote: RemoteTransport, handler: TransportHandler): Promise<LocalTransport> {
    const offer = writeOffer(remote)
    const library = await (this.#library ??= load())
    if (this.#closed) throw new TransportError('WebRTC: closed meanwhile')
    const { association, peer, complete } = this.#associate(library, handler)
    try {
      peer.setRemoteDescription(offer, 'offer')
      await complete
      if (association.state === 'closed')
        throw new TransportError('WebRTC: the transport closed before it was described')
      const description = peer.localDescription()
      if (description === null) throw new TransportError('WebRTC: the network library gave no answer')
      const local = readAnswer(description.sdp, this.#options.publicAddresses)
      const reach = () => remote.candidates.forEach((candidate) => void association.addCandidate(candidate))
      setTimeout(reach, FIRST_CHECK_MS).unref()
      return { ...local, transport: association }
    } catch (error) {
      association.close()
      throw error instanceof TransportError ? error : this.#failure(error)
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const association of this.#associations) association.close()
    if (this.#associations.size === 0) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#onIdle = resolve
    const deadline = setTimeout(resolve, CLOSING_DEADLINE_MS)
    await promise
    clearTimeout(deadline)
  }

  #associate(library: Library, handler: TransportHandler) {
    const peer = this.#peer(library)
    const track = peer.addTrack(mediaLine(library))
    const association: NdcAssociation = new NdcAssociation(peer, track, handler, this.#gathering, () => release())
    const release = this.#hold(association, peer, track)
    const { promise: complete, resolve } = Promise.withResolvers<void>()
    const deadline = setTimeout(resolve, GATHERING_DEADLINE_MS)
    peer.onGatheringStateChange((state) => {
      if (state === 'complete') settle()
    })
    peer.onStateChange((state) => {
      if (state === 'failed' || state === 'closed') settle()
      association.stateChanged(state)
    })
    const settle = () => {
      clearTimeout(deadline)
      resolve()
    }
    return { association, peer, complete }
  }

  #peer(library: Library): PeerConnection {
    try {
      return new library.PeerConnection('tapedeck', { ...this.#config, iceServers: iceServersOf(this.#options) })
    } catch (error) {
      throw this.#failure(error)
    }
  }

  /** The library does not say that its one port is taken, which is what it fails at. */
  #failure(error: unknown): TransportError {
    const { udpPort, bindAddress } = this.#options
    const where = `UDP port ${udpPort}${bindAddress === undefined ? '' : ` of ${bindAddress}`}`
    const advice = 'end whatever uses it, or choose another one (--webrtc-port, --webrtc-bind)'
    const port = udpPort === 0 ? '' : `; is ${where} taken? Then ${advice}`
    return new TransportError(`WebRTC: ${messageOf(error)}${port}`, { cause: error })
  }

  /** Returns what lets go. */
  #hold(association: NdcAssociation, peer: PeerConnection, track: Track): () => void {
    const held = [peer, track]
    this.#held.add(held)
    this.#associations.add(association)
    return () => {
      this.#associations.delete(association)
      if (this.#associations.size === 0) this.#onIdle()
      setTimeout(() => this.#held.delete(held), CLOSING_DEADLINE_MS).unref()
    }
  }
}

/** Anew for each peer, as credentials may be for a time. One port for all peers is one allocation (RFC 8656 §2.2), which serves none. */
function iceServersOf({ iceServers, udpPort, turnSecret }: TransportOptions): IceServer[] {
  const servers = iceServers.map((url) => parseIceServer(url, turnSecret))
  return udpPort === 0 ? servers : servers.filter(({ relayType }) => relayType === undefined)
}

function mediaLine(library: Library) {
  const media = new library.Video(MEDIA_ID, 'SendRecv')
  media.addVP8Codec(96)
  return media
}

async function load(): Promise<Library> {
  try {
    const library = await import('node-datachannel')
    library.preload()
    return library
  } catch (error) {
    throw new TransportError(`WebRTC: node-datachannel cannot be loaded: ${messageOf(error)}`, { cause: error })
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
