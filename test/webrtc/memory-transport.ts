import type { TapedeckError } from '../../src/media/errors.ts'
import { isRtcp, type RtcpPacket } from '../../src/rtp/rtcp.ts'
import { parseRtcp } from '../../src/rtp/rtcp-parser.ts'
import type {
  LocalTransport,
  RemoteTransport,
  Transport,
  TransportFactory,
  TransportHandler,
  TransportState,
  TransportStats,
} from '../../src/webrtc/transport.ts'
import { localTransport } from './offers.ts'

/** An association within this process: the test is the peer. */
export class MemoryTransport implements Transport {
  state: TransportState = 'connecting'
  readonly handler: TransportHandler
  readonly candidates: string[] = []
  /** RTP that was sent to the peer. */
  readonly rtp: Buffer[] = []
  /** RTCP that was sent to the peer. */
  readonly rtcp: RtcpPacket[] = []
  rttMs: number | undefined
  onRtcp: (packet: RtcpPacket) => void = () => {}

  constructor(handler: TransportHandler) {
    this.handler = handler
  }

  get stats(): TransportStats {
    return { packetsReceived: 0, bytesReceived: 0, packetsSent: 0, bytesSent: 0, rttMs: this.rttMs, remote: 'memory' }
  }

  send(packet: Uint8Array): boolean {
    if (this.state === 'closed') return false
    if (!isRtcp(packet)) this.rtp.push(Buffer.from(packet))
    else {
      for (const one of parseRtcp(Buffer.from(packet))) {
        this.rtcp.push(one)
        this.onRtcp(one)
      }
    }
    return true
  }

  addCandidate(candidate: string): void {
    this.candidates.push(candidate)
  }

  close(): void {
    this.move('closed')
  }

  move(state: TransportState, fault?: TapedeckError): void {
    if (this.state === 'closed') return
    this.state = state
    this.handler.onState(state, fault)
  }

  /** From the peer: one batch. */
  deliver(...packets: readonly Uint8Array[]): void {
    for (const packet of packets) this.handler.onPacket(packet)
    this.handler.onBatch?.()
  }
}

/** Makes `MemoryTransport`s. */
export class MemoryTransports implements TransportFactory {
  readonly made: MemoryTransport[] = []
  readonly remotes: RemoteTransport[] = []
  isClosed = false

  async accept(remote: RemoteTransport, handler: TransportHandler): Promise<LocalTransport> {
    const transport = new MemoryTransport(handler)
    this.made.push(transport)
    this.remotes.push(remote)
    return localTransport(transport)
  }

  async close(): Promise<void> {
    this.isClosed = true
    for (const transport of this.made) transport.close()
  }
}
