import { Arena } from '../../media/arena.ts'
import type { Block } from '../../media/block.ts'
import { Frame } from '../../media/frame.ts'
import type { Track } from '../../media/track.ts'
import type { EngineSession, PublishSink, SessionSink } from '../engine.ts'
import type { Command } from './command.ts'
import { type Report, readTrack } from './report.ts'

/** Track objects of one session: each configuration is one. More are not from an engine in its right mind. */
const MAX_TRACK_OBJECTS = 4096

/** Where a session's orders go. */
export interface SessionLink {
  tell(command: Command): void
  /** It was closed from this side. */
  closed(session: RemoteSession): void
}

/** A session that runs in the media process. */
export class RemoteSession implements EngineSession {
  readonly id: string
  readonly number: number
  readonly #sink: SessionSink
  readonly #publishSink: PublishSink | undefined
  readonly #link: SessionLink
  readonly #tracks = new Map<number, Track>()
  #arena: Arena | undefined
  #isOver = false
  answer = ''

  /** @param publishSink the same as `sink`, for a session that gives media */
  constructor(id: string, number: number, link: SessionLink, sink: SessionSink, publishSink?: PublishSink) {
    this.id = id
    this.number = number
    this.#link = link
    this.#sink = sink
    this.#publishSink = publishSink
  }

  addCandidates(candidates: readonly string[]): void {
    if (!this.#isOver) this.#link.tell({ op: 'candidates', session: this.number, candidates })
  }

  requestKeyframe(trackId?: number): void {
    if (this.#isOver) return
    this.#link.tell({ op: 'keyframe', session: this.number, ...(trackId === undefined ? {} : { trackId }) })
  }

  finish(): void {
    if (!this.#isOver) this.#link.tell({ op: 'finish', session: this.number })
  }

  close(): void {
    if (this.#isOver) return
    this.#link.tell({ op: 'close', session: this.number })
    this.#finish()
    this.#link.closed(this)
  }

  /** Of the frames to come; undefined when there is nobody to take them. */
  get arena(): Arena | undefined {
    if (this.#isOver || this.#publishSink === undefined) return undefined
    return (this.#arena ??= new Arena())
  }

  frame(track: number, key: boolean, dts: number, pts: number, data: Uint8Array, block: Block): void {
    const known = this.#tracks.get(track)
    if (known !== undefined) this.#publishSink?.frame(new Frame(known, dts, pts, key, data, block))
  }

  flush(): void {
    if (!this.#isOver) this.#publishSink?.flush()
  }

  report(report: Report): void {
    switch (report.op) {
      case 'track': {
        if (this.#tracks.size >= MAX_TRACK_OBJECTS) this.#tracks.clear()
        const track = readTrack(report.track)
        for (const [ref, other] of this.#tracks) if (other.id === track.id) this.#tracks.delete(ref)
        this.#tracks.set(report.ref, track)
        this.#publishSink?.track(track)
        return
      }
      case 'met':
        this.#sink.met(report.line)
        return
      case 'figures':
        this.#sink.figures(report.figures)
        return
      case 'loss':
        this.#publishSink?.loss(report.loss)
        return
      case 'end':
        this.end(report.end)
        return
      default:
    }
  }

  /** The session is over, for a reason of its own. */
  end(end: Parameters<SessionSink['end']>[0]): void {
    if (this.#isOver) return
    this.#finish()
    this.#sink.end(end)
  }

  #finish(): void {
    this.#isOver = true
    this.#arena?.close()
    this.#arena = undefined
    this.#tracks.clear()
  }
}
