import type { Access } from '../api/access.ts'
import { ListenError } from '../api/listen-error.ts'
import { type Endpoint, readTlsFiles, type Settings } from '../config.ts'
import { RtmpAdmission } from '../ingest/rtmp/admission.ts'
import type { Hub } from '../live/hub.ts'
import type { Logger } from '../media/ports.ts'
import { RtmpPlayback } from '../playback/rtmp/playback.ts'
import type { RtmpHandlers } from '../rtmp/handlers.ts'
import { RtmpListener, type RtmpListenerOptions } from '../rtmp/listener.ts'

const MB = 1_000_000

interface Listening {
  readonly name: 'rtmp' | 'rtmps'
  readonly endpoint: Endpoint
  readonly listener: RtmpListener
  up: boolean
}

/** RTMP and RTMPS, as far as settings want them: publishers in, players out. */
export class RtmpListeners {
  readonly #all: Listening[] = []

  /** Listens to nothing yet. @throws ConfigError for TLS files */
  constructor(settings: Settings, { hub, access, logger }: { hub: Hub; access: Access; logger: Logger }) {
    const tls = readTlsFiles(settings)
    const admission = new RtmpAdmission({ hub, authorize: access.authorize, logger })
    const playback = new RtmpPlayback({ hub, authorize: access.authorize, logger })
    const handlers: RtmpHandlers = {
      publish: (request) => admission.publish(request),
      play: (request, output) => playback.play(request, output),
    }
    const limits = limitsOf(settings)
    const { rtmp, rtmps } = settings
    const add = (name: Listening['name'], endpoint: Endpoint, more: Pick<RtmpListenerOptions, 'tls'>) => {
      const listener = new RtmpListener({ ...endpoint, limits, ...more }, handlers, logger)
      this.#all.push({ name, endpoint, listener, up: false })
    }
    if (rtmp !== 'off') add('rtmp', rtmp, {})
    if (rtmps !== undefined) add('rtmps', rtmps, tls === undefined ? {} : { tls })
  }

  /** Open connections by listener. */
  get connections(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#all.map(({ name, listener }) => [name, listener.stats.connections]))
  }
  /** Which of them take connections. */
  get up(): Readonly<Record<string, boolean>> {
    return Object.fromEntries(this.#all.map(({ name, up }) => [name, up]))
  }
  /** Somebody publishes over TLS, whose socket is read from time to time only. */
  get isPublishedOverTls(): boolean {
    return this.#all.some(({ name, listener }) => name === 'rtmps' && listener.stats.publishers > 0)
  }

  /** Resolves with the real addresses. @throws ListenError */
  async listen(): Promise<{ readonly rtmp?: Endpoint; readonly rtmps?: Endpoint }> {
    const addresses: { rtmp?: Endpoint; rtmps?: Endpoint } = {}
    for (const listening of this.#all) {
      const { name, endpoint, listener } = listening
      try {
        addresses[name] = await listener.listen()
      } catch (error) {
        throw new ListenError(`--${name}`, endpoint, error)
      }
      listening.up = true
    }
    return addresses
  }

  /** Takes no further connections, and reads those there are to the end of what has come. */
  async close(deadlineMs: number): Promise<void> {
    const closing = this.#all.map((listening) => {
      listening.up = false
      return listening.listener.close(deadlineMs)
    })
    await Promise.all(closing)
  }
}

function limitsOf(settings: Settings): NonNullable<RtmpListenerOptions['limits']> {
  const { maxConnections, maxConnectionRate, maxMessageMb, handshakeTimeout, idleTimeout } = settings
  return {
    maxConnections,
    perAddressPerSecond: maxConnectionRate,
    maxMessageBytes: maxMessageMb * MB,
    maxPendingBytes: 2 * maxMessageMb * MB,
    handshakeTimeoutMs: handshakeTimeout,
    idleTimeoutMs: idleTimeout,
  }
}
