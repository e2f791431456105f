import type { SignallingProtocol } from '../api/webrtc/door.ts'
import type { IceServers } from '../api/webrtc/ice-servers.ts'
import { type Settings, turnSecret } from '../config.ts'
import type { Format } from '../container/reader.ts'
import { codecPreference } from '../ingest/whip/codec-preference.ts'
import { WhipIngest } from '../ingest/whip/whip-ingest.ts'
import type { Hub } from '../live/hub.ts'
import type { Logger } from '../media/ports.ts'
import { WhepPlayback } from '../playback/whep/whep-playback.ts'
import type { MediaEngine } from '../webrtc/engine.ts'
import { EngineClient } from '../webrtc/engine-client.ts'
import { parseIceServer } from '../webrtc/ndc/ice-server.ts'
import { isUdpPortTaken } from './udp-port.ts'

/** What WebRTC needs of a server. */
export interface WebrtcOptions {
  readonly settings: Settings
  readonly hub: Hub
  readonly logger: Logger
  /** What is recorded in a room is kept in this. */
  formatOf(room: string): Format | 'auto'
}

/** WHIP in and WHEP out, over one media engine, whose process is started with the first session. */
export class WebrtcDoors {
  readonly whip: WhipIngest
  readonly whep: WhepPlayback
  /** For peers. */
  readonly iceServers: IceServers
  readonly #engine: EngineClient
  readonly #settings: Settings
  readonly #logger: Logger

  constructor({ settings, hub, logger, formatOf }: WebrtcOptions) {
    this.#settings = settings
    this.#logger = logger
    this.iceServers = { urls: settings.iceServer ?? [], turnSecret: turnSecret(settings) }
    this.#engine = openEngine(settings, this.iceServers, logger)
    const engine: MediaEngine = this.#engine
    this.whip = new WhipIngest({
      hub,
      engine,
      logger,
      layers: settings.recordLayers,
      maxBitrateBps: settings.webrtcMaxBitrate,
      jitterBudgetMs: settings.webrtcJitterBudget,
      codecs: (room) => codecPreference(formatOf(room)),
    })
    this.whep = new WhepPlayback({ hub, engine, logger })
  }

  /** Says at the start what the first session would find out: somebody else has the UDP port. */
  async lookAtPort(): Promise<void> {
    const { webrtcPort: port, webrtcBind } = this.#settings
    if (port === 0 || !(await isUdpPortTaken(port, webrtcBind))) return
    const problem = 'the UDP port of WebRTC is taken: WHIP and WHEP are refused until it is free'
    this.#logger.warn({ port }, `${problem}; end whatever uses it, or choose another one with --webrtc-port`)
  }

  get protocols(): readonly SignallingProtocol[] {
    return [
      { name: 'whip', action: 'publish', door: this.whip },
      { name: 'whep', action: 'play', door: this.whep },
    ]
  }
  /** How often the process of the engine was started. */
  get processStarts(): number {
    return this.#engine.starts
  }

  /** Ends all sessions, publishers' with what the engine still holds; no new ones begin. Within about a second. */
  async endSessions(): Promise<void> {
    this.whep.close()
    await this.whip.finish()
  }

  /** Ends the process of the engine. */
  close(): Promise<void> {
    return this.#engine.close()
  }
}

function openEngine(settings: Settings, { urls, turnSecret }: IceServers, logger: Logger): EngineClient {
  const { webrtcPort, webrtcBind, webrtcPublicAddress = [] } = settings
  return new EngineClient({
    transport: {
      udpPort: webrtcPort,
      publicAddresses: webrtcPublicAddress,
      iceServers: urls.filter((url) => isUsedHere(url, turnSecret)),
      ...(turnSecret === undefined ? {} : { turnSecret }),
      ...(webrtcBind === undefined ? {} : { bindAddress: webrtcBind }),
    },
    queue: { videoFrames: settings.webrtcVideoQueue, audioFrames: settings.webrtcAudioQueue },
    logger,
  })
}

/** The rest is for peers alone: TURN over TCP and TLS. */
function isUsedHere(server: string, turnSecret: string | undefined): boolean {
  try {
    parseIceServer(server, turnSecret)
    return true
  } catch {
    return false
  }
}
