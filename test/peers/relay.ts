import { createHash } from 'node:crypto'
import { RtmpAdmission } from '../../src/ingest/rtmp/admission.ts'
import { Hub } from '../../src/live/hub.ts'
import type { LiveStream } from '../../src/live/stream.ts'
import type { EndReason, Subscriber } from '../../src/live/subscriber.ts'
import type { Frame } from '../../src/media/frame.ts'
import type { Logger } from '../../src/media/ports.ts'
import type { Track } from '../../src/media/track.ts'
import { RtmpPlayback, type RtmpPlaybackOptions } from '../../src/playback/rtmp/playback.ts'
import { RtmpListener } from '../../src/rtmp/listener.ts'

/** A frame as a follower saw it; `hash` as ffprobe writes it. */
export interface SeenFrame {
  readonly track: Track
  readonly dts: number
  readonly pts: number
  readonly key: boolean
  readonly size: number
  readonly hash: string
}

/** Follows a stream from its first track on and remembers everything. */
export class Follower implements Subscriber {
  readonly kind = 'recording'
  readonly tracks: Track[] = []
  readonly frames: SeenFrame[] = []
  readonly #ended = Promise.withResolvers<EndReason>()
  readonly #waiting: { count: number; resolve: () => void }[] = []

  /** Resolves with the reason when the stream ends. */
  get ended(): Promise<EndReason> {
    return this.#ended.promise
  }

  /** Resolves when `count` frames have come. */
  async frameCount(count: number): Promise<void> {
    if (this.frames.length >= count) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#waiting.push({ count, resolve })
    await promise
  }

  of(kind: 'video' | 'audio'): SeenFrame[] {
    return this.frames.filter(({ track }) => track.kind === kind)
  }

  track(track: Track): void {
    this.tracks.push(track)
  }

  frame({ track, dts, pts, key, data }: Frame): void {
    const hash = `MD5:${createHash('md5').update(data).digest('hex')}`
    this.frames.push({ track, dts, pts, key, size: data.length, hash })
    for (const { count, resolve } of this.#waiting) if (this.frames.length >= count) resolve()
  }

  flush(): void {}

  end(reason: EndReason): void {
    this.#ended.resolve(reason)
  }
}

/** What a relay may be told. */
export interface RelayOptions extends Pick<RtmpPlaybackOptions, 'limits'> {
  readonly takeover?: boolean
}

/** RTMP in and RTMP out around a hub, without recorder: publishers are followed, players served. */
export class Relay {
  readonly hub: Hub
  readonly playback: RtmpPlayback
  readonly lines: { level: string; message: string; fields: object }[] = []
  readonly #listener: RtmpListener
  readonly #followers = new Map<string, Follower[]>()
  readonly #arrivals: { name: string; resolve: (follower: Follower) => void }[] = []
  port = 0

  private constructor(options: RelayOptions) {
    const log = (level: string) => (fields: object, message: string) => void this.lines.push({ level, message, fields })
    const logger: Logger = { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') }
    this.hub = new Hub({ takeover: options.takeover ?? false, maxStreams: 100 }, logger)
    this.hub.listen({ started: (stream) => this.#follow(stream) })
    const authorize = async () => {}
    const admission = new RtmpAdmission({ hub: this.hub, authorize, logger })
    this.playback = new RtmpPlayback({
      hub: this.hub,
      authorize,
      logger,
      ...(options.limits && { limits: options.limits }),
    })
    const handlers = {
      publish: admission.publish.bind(admission),
      play: this.playback.play.bind(this.playback),
    }
    this.#listener = new RtmpListener({ host: '127.0.0.1', port: 0 }, handlers, logger)
  }

  static async start(options: RelayOptions = {}): Promise<Relay> {
    const relay = new Relay(options)
    relay.port = (await relay.#listener.listen()).port
    return relay
  }

  url(name: string): string {
    return `rtmp://127.0.0.1:${this.port}/live/${name}`
  }

  /** The follower of the `nth` stream (from 0) published as live/`name`, once there is one. */
  follower(name: string, nth = 0): Promise<Follower> {
    const there = this.#followers.get(name)?.[nth]
    if (there !== undefined) return Promise.resolve(there)
    return new Promise((resolve) => this.#arrivals.push({ name, resolve }))
  }

  async close(): Promise<void> {
    await this.#listener.close(1000)
  }

  #follow(stream: LiveStream): void {
    const follower = new Follower()
    const name = stream.address.participant
    this.#followers.set(name, [...(this.#followers.get(name) ?? []), follower])
    stream.subscribe(follower, { fromKeyframe: true })
    for (const arrival of this.#arrivals) if (arrival.name === name) arrival.resolve(follower)
  }
}
