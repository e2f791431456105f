import type { Frame } from '../media/frame.ts'
import type { Logger } from '../media/ports.ts'
import type { SourceReport } from '../media/source-report.ts'
import type { Track } from '../media/track.ts'
import type { GopBudget } from './gop-budget.ts'
import { GopCache } from './gop-cache.ts'
import { StreamStats } from './stream-stats.ts'
import type { EndReason, Subscriber } from './subscriber.ts'

/** Where a stream belongs: `rtmp://host/{room}/{participant}`. Raw names as the peer gave them, at most 255 bytes each. */
export interface StreamAddress {
  readonly room: string
  readonly participant: string
}

/** What a publisher hands over with its stream. */
export interface PublisherInfo {
  /** The protocol it came by. */
  readonly source: 'rtmp' | 'rtmps' | 'embedded' | 'pull' | 'whip' | 'upload'
  /** For people and logs: the peer's address. */
  readonly peer?: string
  /** When its media began, where that was before the stream: ms since 1970. */
  readonly beganAtMs?: number
  /** Of the session in the media engine that whoever watches over the same engine asks for. */
  readonly session?: string
  /** Ends the connection behind the stream; called when the stream is replaced or kicked. */
  disconnect?(reason: EndReason): void
  /** What the source knows of itself, now; a snapshot. */
  report?(): SourceReport
  /** Asks the encoder for a keyframe, of all video or of one track. Rate-limited by whoever does it. */
  requestKeyframe?(trackId?: number): void
  /** It has not been heard for a while: a newcomer of the same name may have its place, takeover or not. */
  yields?(): boolean
}

/** What a subscriber can ask of the stream that it follows. */
export interface Subscription {
  /** While true, this subscriber would rather have the publisher wait than lose media (see `LiveStream.congested`). */
  congested: boolean
  /** Idempotent. No call reaches the subscriber afterwards, and no `end` either. */
  close(): void
}

/** Who has made a stream. */
export interface StreamOwner {
  tracked(stream: LiveStream, track: Track): void
  ended(stream: LiveStream, reason: EndReason): void
}

/**
 * What one participant publishes now: tracks, one publisher, any number of subscribers. Lives once, never reopens.
 *
 * The publisher calls `track`, `write`, `flush` and finally `end`; everything is passed on in the same call.
 */
export class LiveStream {
  readonly address: StreamAddress
  readonly publisher: PublisherInfo
  /** Ms since 1970. */
  readonly startedAtMs: number
  readonly stats = new StreamStats()
  readonly #logger: Logger
  readonly #owner: StreamOwner
  readonly #tracks = new Map<number, Track>()
  readonly #gop: GopCache
  #members: readonly Member[] = []
  #ended: EndReason | undefined
  /** What the encoder says about itself (onMetaData and the like); shown, never trusted. */
  metadata: Readonly<Record<string, unknown>> = {}

  constructor(
    address: StreamAddress,
    publisher: PublisherInfo,
    gopBudget: GopBudget,
    logger: Logger,
    owner: StreamOwner,
  ) {
    this.#gop = new GopCache(gopBudget)
    this.address = address
    this.publisher = publisher
    this.startedAtMs = Math.min(publisher.beganAtMs ?? Number.POSITIVE_INFINITY, Date.now())
    this.#logger = logger
    this.#owner = owner
  }

  get tracks(): readonly Track[] {
    return [...this.#tracks.values()]
  }
  get ended(): EndReason | undefined {
    return this.#ended
  }
  get gopBytes(): number {
    return this.#gop.bytes
  }
  get playerCount(): number {
    let count = 0
    for (const member of this.#members) if (member.subscriber.kind === 'player') count++
    return count
  }
  get recordingCount(): number {
    return this.#members.length - this.playerCount
  }

  /** Some recording would rather have the publisher wait than lose media. */
  get recordingBehind(): boolean {
    for (const member of this.#members) if (member.congested) return true
    return false
  }

  /**
   * Some recording is behind and nobody watches live: the publisher may be held back (its socket not read) instead of
   * media being dropped. Whoever publishes decides how long.
   */
  get congested(): boolean {
    return this.recordingBehind && this.playerCount === 0
  }

  /** Announces a track, or its next epoch. */
  track(track: Track): void {
    if (this.#ended !== undefined) return
    this.#tracks.set(track.id, track)
    this.#each((subscriber) => subscriber.track(track))
    this.#owner.tracked(this, track)
  }

  /** Passes `frame` to everybody; the caller's hold stays the caller's. */
  write(frame: Frame): void {
    if (this.#ended !== undefined) return
    this.stats.count(frame)
    this.#gop.push(frame)
    const members = this.#members
    for (let i = 0; i < members.length; i++) {
      const member = members[i]
      if (member.closed) continue
      try {
        member.subscriber.frame(frame)
      } catch (error) {
        this.#expel(member, error)
      }
    }
  }

  /** Asks the publisher for a keyframe, of all video or of one track. Nothing happens where it cannot be asked. */
  requestKeyframe(trackId?: number): void {
    if (this.#ended === undefined) this.publisher.requestKeyframe?.(trackId)
  }

  /** The end of a batch, such as everything that one read of the socket gave. */
  flush(): void {
    this.stats.mark()
    this.#each((subscriber) => subscriber.flush())
  }

  /** Idempotent: the first reason counts. */
  end(reason: EndReason): void {
    if (this.#ended !== undefined) return
    this.#ended = reason
    this.#gop.clear()
    this.#owner.ended(this, reason)
    this.#each((subscriber) => subscriber.end(reason))
    this.#members = []
  }

  /**
   * Joins now: all tracks, then, with `fromKeyframe`, the GOP kept so far, then whatever comes. Where none is kept, the
   * publisher is asked for a keyframe.
   * On a stream that has ended the subscriber gets its `end` at once.
   */
  subscribe(subscriber: Subscriber, options: { fromKeyframe: boolean }): Subscription {
    const member = new Member(subscriber, () => {
      this.#setMembers(this.#members.filter((other) => other !== member))
    })
    if (this.#ended !== undefined) {
      subscriber.end(this.#ended)
      return member
    }
    for (const track of this.#tracks.values()) subscriber.track(track)
    if (options.fromKeyframe) {
      for (const frame of this.#gop.frames()) {
        if (frame.track.epoch === this.#tracks.get(frame.track.id)?.epoch) subscriber.frame(frame)
      }
      subscriber.flush()
    }
    if (!member.closed) this.#setMembers([...this.#members, member])
    if (options.fromKeyframe && this.#gop.bytes === 0) this.requestKeyframe()
    return member
  }

  #setMembers(members: readonly Member[]): void {
    this.#members = members
    this.#gop.watched = this.playerCount > 0
  }

  #each(call: (subscriber: Subscriber) => void): void {
    for (const member of this.#members) {
      if (member.closed) continue
      try {
        call(member.subscriber)
      } catch (error) {
        this.#expel(member, error)
      }
    }
  }

  #expel(member: Member, error: unknown): void {
    member.close()
    this.#logger.error(
      { err: error, ...this.address, kind: member.subscriber.kind },
      'subscriber failed and was dropped',
    )
  }
}

class Member implements Subscription {
  readonly subscriber: Subscriber
  readonly #onClose: () => void
  congested = false
  closed = false

  constructor(subscriber: Subscriber, onClose: () => void) {
    this.subscriber = subscriber
    this.#onClose = onClose
  }

  close(): void {
    if (this.closed) return
    this.closed = true
    this.#onClose()
  }
}
