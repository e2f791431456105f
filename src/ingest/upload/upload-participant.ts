import type { Hub } from '../../live/hub.ts'
import type { LiveStream, StreamAddress } from '../../live/stream.ts'
import type { EndReason } from '../../live/subscriber.ts'
import type { Frame } from '../../media/frame.ts'
import type { Logger } from '../../media/ports.ts'
import type { Track } from '../../media/track.ts'
import { Turns } from './turns.ts'
import type { UploadStream } from './upload-reading.ts'
import type { UploadSession } from './upload-session.ts'

/** Uploads at a time of one participant: camera, screen, and what a reload has left behind. */
export const MAX_OPEN_SESSIONS = 8
/** Whoever was not heard for so long gives way to a newcomer of the name, ms: a browser that publishes over WebRTC again. */
const YIELDS_AFTER_MS = 5000

/** What a participant of uploads stands on. */
export interface UploadParticipantOptions {
  readonly hub: Hub
  readonly logger: Logger
  /** A monotonic clock, ms. */
  readonly now: () => number
  /** After so long without a chunk its stream ends, ms. */
  readonly idleMs: number
}

/**
 * One participant who uploads: any number of uploads, each with tracks of its own, in one live stream, which is there while
 * something comes. It ends with the last of them (`finished`), or after a silence (`lost`); a chunk that comes then begins another.
 */
export class UploadParticipant {
  readonly address: StreamAddress
  readonly sessions = new Map<string, UploadSession>()
  /** Chunks on their way: it is not forgotten meanwhile. */
  arriving = 0
  /** The last tick failed. */
  isTroubled = false
  readonly #options: UploadParticipantOptions
  readonly #turns = new Turns()
  #stream: LiveStream | undefined
  /** Time 0 of the stream's media on our wall clock, ms since 1970. */
  #zeroMs = 0
  #trackIds = 0
  #parking: Promise<void> = Promise.resolve()

  constructor(address: StreamAddress, options: UploadParticipantOptions) {
    this.address = address
    this.#options = options
  }

  get isLive(): boolean {
    return this.#stream !== undefined
  }
  /** Nothing is known of it, nor about to be. */
  get isEmpty(): boolean {
    return this.sessions.size === 0 && this.arriving === 0 && !this.isLive
  }
  get inFlightBytes(): number {
    let bytes = 0
    for (const session of this.sessions.values()) bytes += session.inFlightBytes
    return bytes
  }

  /** Reads `session` into the stream, which is begun where there is none. @throws NameBusyError, LimitError */
  async begin(session: UploadSession, peer: string | undefined): Promise<void> {
    await this.#parking
    if (session.isLive || !session.isOpen) return
    this.#stream ??= this.#publish(session, peer)
    this.#turns.join(session)
    session.begin(this.#target(this.#stream, session), session.spool.facts.beganAtMs - this.#zeroMs, () => this.#over())
  }

  /** Every second: what was handed over is settled; whoever says nothing for long is lost. */
  async tick(): Promise<void> {
    const { now, idleMs } = this.#options
    const live = [...this.sessions.values()].filter(({ isLive }) => isLive)
    const isIdle = live.every((session) => session.isIdle && now() - session.heardAtMs >= idleMs)
    if (this.isLive && isIdle) this.end('lost')
    for (const session of this.sessions.values()) await session.settle()
  }

  /** Ends the stream; what was not read is kept. Idempotent. */
  end(reason: EndReason): void {
    const stream = this.#stream
    if (stream === undefined) return
    this.#stream = undefined
    stream.end(reason)
    const { bytes, videoFrames, audioFrames } = stream.stats.snapshot()
    const ended = { ...this.address, reason: stream.ended, bytes, videoFrames, audioFrames }
    this.#options.logger.info(ended, 'publishing ended')
    this.#parking = this.#park()
  }

  /** Resolves when nothing is read any more. */
  parked(): Promise<void> {
    return this.#parking
  }

  #publish(session: UploadSession, peer: string | undefined): LiveStream {
    const { hub, logger, now } = this.#options
    const { beganAtMs } = session.spool.facts
    this.#zeroMs = beganAtMs
    this.#trackIds = 0
    const stream = hub.publish(this.address, {
      source: 'upload',
      ...(peer === undefined ? {} : { peer }),
      beganAtMs: this.#firstAtMs(session),
      disconnect: (reason) => this.end(reason),
      yields: () => [...this.sessions.values()].every(({ heardAtMs }) => now() - heardAtMs >= YIELDS_AFTER_MS),
    })
    logger.info({ ...this.address, peer, upload: session.id }, 'publishing started')
    return stream
  }

  #target(stream: LiveStream, session: UploadSession): UploadStream {
    const turns = this.#turns
    return {
      track: (track: Track) => stream.track(track),
      write: (frame: Frame) => stream.write(frame),
      flush: () => stream.flush(),
      turn: (ms) => turns.take(session, ms),
      rest: () => turns.rest(session),
      trackId: () => ++this.#trackIds,
      get isBehind() {
        return stream.recordingBehind
      },
    }
  }

  /** When the media began that comes first now, ms since 1970. */
  #firstAtMs(session: UploadSession): number {
    let firstAtMs = session.nextAtMs
    for (const each of this.sessions.values()) if (each.hasMore) firstAtMs = Math.min(firstAtMs, each.nextAtMs)
    return firstAtMs
  }

  /** One upload is over: with the last of them the stream is. */
  #over(): void {
    const sessions = [...this.sessions.values()]
    if (sessions.some(({ isLive }) => isLive)) return
    this.end(sessions.some(({ isOpen }) => isOpen) ? 'lost' : 'finished')
  }

  async #park(): Promise<void> {
    for (const session of this.sessions.values()) {
      await session.park().catch((error: unknown) => {
        this.#options.logger.error({ err: error, ...this.address }, 'an upload could not be settled')
      })
    }
  }
}
