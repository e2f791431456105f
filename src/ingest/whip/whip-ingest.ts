import type { Hub } from '../../live/hub.ts'
import type { StreamAddress } from '../../live/stream.ts'
import type { EndReason } from '../../live/subscriber.ts'
import type { Logger } from '../../media/ports.ts'
import type { LayerChoice, MediaEngine, SessionFigures } from '../../webrtc/engine.ts'
import { parseIceFragment } from '../../webrtc/sdp/ice-fragment.ts'
import { TransportError } from '../../webrtc/transport-error.ts'
import type { CodecPreference } from './codec-preference.ts'
import { WhipSession } from './whip-session.ts'

/** How often deadlines are looked at, ms. */
const TICK_MS = 500

/** What the way in needs from above. */
export interface WhipIngestOptions {
  readonly hub: Hub
  readonly engine: MediaEngine
  readonly logger: Logger
  readonly layers: LayerChoice
  /** What one publisher may send at most, bits per second. */
  readonly maxBitrateBps: number
  /** How long a lost packet is asked for again, ms. */
  readonly jitterBudgetMs: number
  /** What whoever publishes in `room` is asked for. */
  codecs(room: string): CodecPreference
  /** A monotonic clock, ms; `performance.now` by default. */
  readonly now?: () => number
}

/** A peer's wish to publish. */
export interface WhipOffer {
  /** Its session description, as it came. */
  readonly sdp: string
  /** For people and logs: where the request came from. */
  readonly peer: string
  /** Names of tracks by their `mid`. */
  readonly labels: Readonly<Record<string, string>>
}

/** What WHIP publishers have done so far. Counters only grow. */
export interface WhipStats {
  readonly sessions: number
  readonly started: number
  readonly ended: Readonly<Partial<Record<EndReason, number>>>
  readonly packets: number
  readonly packetsLost: number
  readonly packetsRecovered: number
  readonly nacks: number
  readonly plis: number
  readonly damagedFrames: number
  /** Packets of which nothing could be kept. */
  readonly packetsStray: number
}

type PacketTotals = Omit<WhipStats, 'sessions' | 'started' | 'ended'>

/** Lets WHIP publishers in: a free place and an offer that the engine takes; then they are live. Who may is asked before. */
export class WhipIngest {
  readonly #options: WhipIngestOptions
  readonly #sessions = new Map<string, WhipSession>()
  readonly #ended: Partial<Record<EndReason, number>> = {}
  readonly #past: { -readonly [Key in keyof PacketTotals]: number } = noPackets()
  readonly #emptied: (() => void)[] = []
  #started = 0
  #isClosed = false
  #timer: NodeJS.Timeout | undefined

  constructor(options: WhipIngestOptions) {
    this.#options = options
  }

  get stats(): WhipStats {
    const packets = { ...this.#past }
    for (const session of this.#sessions.values()) addTo(packets, session.lastFigures)
    return { sessions: this.#sessions.size, started: this.#started, ended: { ...this.#ended }, ...packets }
  }

  find(id: string): WhipSession | undefined {
    const session = this.#sessions.get(id)
    return session?.isLeaving === true ? undefined : session
  }

  /**
   * Publishes at `address` what the peer offers. The stream is there when this resolves, before anything was sent.
   * @throws NameBusyError when somebody publishes there who does not give way
   * @throws LimitError, MalformedError, UnsupportedError, TransportError, MediaProcessError
   */
  async create(address: StreamAddress, offer: WhipOffer): Promise<WhipSession> {
    const { hub, engine, logger, layers, maxBitrateBps, jitterBudgetMs } = this.#options
    const { now = () => performance.now() } = this.#options
    const { iceUfrag } = parseIceFragment(offer.sdp)
    hub.demandFree(address) // before the work; another may still be first
    const onEnded = (ended: WhipSession) => this.#over(ended)
    const session = new WhipSession({ address, peer: offer.peer, iceUfrag, logger, now, onEnded })
    const { video: videoCodecs, audio: audioCodecs } = this.#options.codecs(address.room)
    const { sdp, labels } = offer
    const limits = { layers, maxBitrateBps, jitterBudgetMs }
    const { id } = session
    session.accepted(await engine.publish({ id, offer: sdp, videoCodecs, audioCodecs, labels, ...limits }, session))
    try {
      if (this.#isClosed) throw new TransportError('this server is stopping and takes no publishers; ask again later')
      this.#publish(session)
    } catch (error) {
      session.close('finished')
      throw error
    }
    return session
  }

  /** Ends all sessions with what the engine still holds; no new ones begin. Resolves when they are over, within about a second. */
  async finish(): Promise<void> {
    this.#isClosed = true
    for (const session of [...this.#sessions.values()]) session.finish('shutdown')
    if (this.#sessions.size > 0) await new Promise<void>((resolve) => this.#emptied.push(resolve))
  }

  /** Ends all sessions at once; no new ones begin. Idempotent. */
  close(): void {
    this.#isClosed = true
    for (const session of [...this.#sessions.values()]) session.close('shutdown')
    this.#stopTicking()
  }

  #publish(session: WhipSession): void {
    const { hub, logger } = this.#options
    const { address, id, peer } = session
    const stream = hub.publish(address, {
      source: 'whip',
      peer,
      session: id,
      disconnect: (reason) => session.close(reason),
      report: () => session.report(),
      requestKeyframe: (trackId) => session.requestKeyframe(trackId),
      yields: () => session.yields,
    })
    this.#sessions.set(id, session)
    this.#started++
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS).unref()
    session.feed(stream)
    logger.info({ ...address, peer }, 'publishing started')
    if (!session.isEnded) return
    stream.end('lost') // broke in the very moment, before it could be let go of
    this.#over(session)
  }

  #tick(): void {
    for (const session of [...this.#sessions.values()]) session.tick()
  }

  #over(session: WhipSession): void {
    if (!this.#sessions.delete(session.id)) return
    if (this.#sessions.size === 0) {
      this.#stopTicking()
      for (const resolve of this.#emptied.splice(0)) resolve()
    }
    addTo(this.#past, session.lastFigures)
    const { address, peer, fault } = session
    const reason = session.endReason ?? 'lost'
    this.#ended[reason] = (this.#ended[reason] ?? 0) + 1
    this.#options.logger.info({ ...address, peer, reason, ...session.media, fault }, 'publishing ended')
  }

  #stopTicking(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}

function noPackets(): { -readonly [Key in keyof PacketTotals]: number } {
  return { packets: 0, packetsLost: 0, packetsRecovered: 0, nacks: 0, plis: 0, damagedFrames: 0, packetsStray: 0 }
}

function addTo(totals: { -readonly [Key in keyof PacketTotals]: number }, { tracks, strays }: SessionFigures): void {
  if (strays !== undefined) totals.packetsStray += strays.unknownSsrc + strays.notNegotiated + strays.malformed
  for (const track of tracks) {
    totals.packets += track.packets
    totals.packetsLost += track.packetsLost
    totals.packetsRecovered += track.packetsRecovered
    totals.nacks += track.nacks
    totals.plis += track.plis
    totals.damagedFrames += track.damagedFrames
  }
}
