import { setTimeout as sleep } from 'node:timers/promises'
import type { Arena } from '../media/arena.ts'
import type { Block } from '../media/block.ts'
import { LimitError, MalformedError, type TapedeckError, UnsupportedError } from '../media/errors.ts'
import type { Logger } from '../media/ports.ts'
import type { EngineSession, MediaEngine, PublishRequest, PublishSink, SessionSink, WatchRequest } from './engine.ts'
import type { Command, MediaProcessOptions, QueueBounds } from './link/command.ts'
import { MediaChild, type MediaChildHandler, mediaProcessEntry } from './link/media-child.ts'
import { RemoteSession, type SessionLink } from './link/remote-session.ts'
import { parseReport, type Report } from './link/report.ts'
import type { TransportOptions } from './transport.ts'
import { MediaProcessError, TransportError } from './transport-error.ts'

/** Until a session is answered; STUN servers have 2 s of it, ms. */
const ANSWER_DEADLINE_MS = 10_000
/** How often it is looked whether the process said something; it says that it is well every 2 s, ms. */
const WATCH_INTERVAL_MS = 5000
/** So many times in a row without a word, and it is taken for hung. */
const MAX_SILENCES = 2
/** After the first death; doubled with each further one, ms. */
const FIRST_BACKOFF_MS = 100
const MAX_BACKOFF_MS = 5000
/** Who lived so long has not died of how it was started, ms. */
const HEALTHY_MS = 30_000

/** How the engine runs. */
export interface EngineClientOptions {
  readonly transport: TransportOptions
  readonly logger: Logger
  /** Sessions of both kinds at a time; 1000 by default. */
  readonly maxSessions?: number
  /** Frames that wait while the server does not take them; 60 and 200 by default. */
  readonly queue?: QueueBounds
  /** Of the process; tapedeck's own by default. */
  readonly entry?: URL
}

interface Waiting {
  readonly session: RemoteSession
  readonly resolve: (session: RemoteSession) => void
  readonly reject: (error: Error) => void
}

/**
 * The engine in a process of its own, which is started with the first session. When that dies, its sessions end (`failed`,
 * TD_MEDIA_PROCESS) and the next one begins in a new process, after a pause that grows with each death in a row.
 */
export class EngineClient implements MediaEngine {
  readonly #logger: Logger
  readonly #options: MediaProcessOptions
  readonly #entry: URL
  readonly #sessions = new Map<number, RemoteSession>()
  readonly #waiting = new Map<number, Waiting>()
  readonly #closing = new AbortController()
  /** Sessions that got frames in the batch that is being read. */
  readonly #fed = new Set<RemoteSession>()
  #child: MediaChild | undefined
  #watch: NodeJS.Timeout | undefined
  #nextNumber = 1
  #startedMs = 0
  #notBeforeMs = 0
  #deaths = 0
  #starts = 0
  /** What `heardMs` of the process was when it was last looked at, and how often it was the same since. */
  #heardMs = 0
  #silences = 0

  constructor(options: EngineClientOptions) {
    this.#logger = options.logger
    this.#entry = options.entry ?? mediaProcessEntry()
    this.#options = {
      transport: options.transport,
      maxSessions: options.maxSessions ?? 1000,
      queue: options.queue ?? { videoFrames: 60, audioFrames: 200 },
    }
  }

  /** How often a process was started. */
  get starts(): number {
    return this.#starts
  }
  /** Of the process that runs now, for diagnostics. */
  get pid(): number | undefined {
    return this.#child?.pid
  }

  publish(request: PublishRequest, sink: PublishSink): Promise<EngineSession> {
    return this.#open((session) => ({ op: 'publish', session, request }), request.id, sink, sink)
  }

  watch(request: WatchRequest, sink: SessionSink): Promise<EngineSession> {
    return this.#open((session) => ({ op: 'watch', session, request }), request.id, sink)
  }

  /** Ends all sessions, and the process: orderly when it does so within 2 s. No `end` follows. */
  async close(): Promise<void> {
    this.#closing.abort()
    clearInterval(this.#watch)
    for (const session of [...this.#sessions.values()]) session.close()
    for (const { reject } of [...this.#waiting.values()]) reject(new MediaProcessError('WebRTC is being shut down'))
    await this.#child?.shutDown()
  }

  async #open(
    command: (session: number) => Command,
    id: string,
    sink: SessionSink,
    publishSink?: PublishSink,
  ): Promise<EngineSession> {
    const child = await this.#running()
    const number = this.#nextNumber++
    const link: SessionLink = {
      tell: (order) => child.tell(order),
      closed: (closed) => this.#sessions.delete(closed.number),
    }
    const session = new RemoteSession(id, number, link, sink, publishSink)
    const { promise, resolve, reject } = Promise.withResolvers<RemoteSession>()
    const deadline = setTimeout(() => {
      session.close()
      reject(new MediaProcessError(`session ${id}: the media process gave no answer in time`))
    }, ANSWER_DEADLINE_MS)
    this.#waiting.set(number, { session, resolve, reject })
    this.#sessions.set(number, session)
    try {
      if (!child.tell(command(number))) throw new MalformedError('session description', 'far too long')
      return await promise
    } catch (error) {
      this.#sessions.delete(number)
      throw error
    } finally {
      clearTimeout(deadline)
      this.#waiting.delete(number)
    }
  }

  /** The process, started if there is none. */
  async #running(): Promise<MediaChild> {
    while (this.#child === undefined) {
      const pauseMs = this.#notBeforeMs - performance.now()
      if (pauseMs > 0) await sleep(pauseMs, undefined, { signal: this.#closing.signal }).catch(() => {})
      if (this.#closing.signal.aborted) throw new MediaProcessError('WebRTC is being shut down')
      if (pauseMs <= 0) this.#start()
    }
    return this.#child
  }

  #start(): void {
    this.#startedMs = performance.now()
    this.#starts++
    const child: MediaChild = new MediaChild(
      this.#entry,
      this.#options,
      this.#handler(() => child),
    )
    this.#child = child
    this.#logger.debug({ pid: child.pid }, 'media process started')
    this.#watch = setInterval(() => this.#lookAfter(child), WATCH_INTERVAL_MS)
    this.#watch.unref()
  }

  /** Looked at twice before it is given up: this process may have been the one that stood still. */
  #lookAfter(child: MediaChild): void {
    if (child.heardMs !== this.#heardMs) {
      this.#heardMs = child.heardMs
      this.#silences = 0
    } else if (++this.#silences === MAX_SILENCES) {
      this.#logger.error({ pid: child.pid }, 'media process does not answer and is ended')
      child.kill()
    }
  }

  #handler(child: () => MediaChild): MediaChildHandler {
    return {
      control: (message) => this.#report(parseReport(message), child()),
      arena: (number): Arena | undefined => this.#sessions.get(number)?.arena,
      frame: (number, track, key, dts, pts, data, block: Block) => {
        const session = this.#sessions.get(number)
        if (session === undefined) return
        this.#fed.add(session)
        try {
          session.frame(track, key, dts, pts, data, block)
        } catch (error) {
          this.#fault(session, error)
        }
      },
      flush: () => {
        for (const session of this.#fed) this.#guard(session, () => session.flush())
        this.#fed.clear()
      },
      gone: (reason) => this.#gone(child(), reason),
    }
  }

  #report(report: Report, child: MediaChild): void {
    if (report.op === 'alive') return
    if (report.op === 'closed') {
      child.hangUp()
      return
    }
    const session = this.#sessions.get(report.session)
    if (session === undefined) return
    const waiting = this.#waiting.get(report.session)
    if (report.op === 'answered') {
      session.answer = report.answer
      waiting?.resolve(session)
    } else if (report.op === 'refused') {
      waiting?.reject(refusal(report.code, report.message))
    } else {
      this.#guard(session, () => session.report(report))
      if (report.op === 'end') this.#ended(report.session, report.end.message)
    }
  }

  #ended(number: number, message: string | undefined): void {
    this.#sessions.delete(number)
    this.#waiting.get(number)?.reject(new TransportError(`WebRTC: ended before it was answered: ${message ?? ''}`))
  }

  /** What a sink throws ends its session, and nothing else. */
  #guard(session: RemoteSession, call: () => void): void {
    try {
      call()
    } catch (error) {
      this.#fault(session, error)
    }
  }

  #fault(session: RemoteSession, error: unknown): void {
    this.#logger.error({ err: error, session: session.id }, 'WebRTC session failed')
    session.close()
  }

  #gone(child: MediaChild, reason: string): void {
    if (this.#child !== child) return
    this.#child = undefined
    clearInterval(this.#watch)
    this.#fed.clear()
    const sessions = [...this.#sessions.values()]
    this.#sessions.clear()
    if (!this.#closing.signal.aborted) this.#mourn(child, reason, sessions.length)
    const message = `the process in which WebRTC runs ${reason}`
    for (const session of sessions) {
      const waiting = this.#waiting.get(session.number)
      if (waiting !== undefined) waiting.reject(new MediaProcessError(message))
      else this.#guard(session, () => session.end({ reason: 'failed', code: 'TD_MEDIA_PROCESS', message }))
    }
  }

  #mourn(child: MediaChild, reason: string, sessions: number): void {
    const nowMs = performance.now()
    this.#deaths = nowMs - this.#startedMs < HEALTHY_MS ? this.#deaths + 1 : 1
    const pauseMs = Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** (this.#deaths - 1))
    this.#notBeforeMs = nowMs + pauseMs
    this.#logger.error({ pid: child.pid, sessions, stderr: child.lastWords }, `media process ${reason}`)
  }
}

/** The error that the engine threw in its process. */
function refusal(code: string, message: string): TapedeckError {
  const [where, ...rest] = message.split(': ')
  const bound = /^(.*): the limit is (\d+)/.exec(message)
  if (code === 'TD_MALFORMED') return new MalformedError(where, rest.join(': '))
  if (code === 'TD_UNSUPPORTED') return new UnsupportedError(message)
  if (code === 'TD_LIMIT' && bound !== null) return new LimitError(bound[1], { limit: Number(bound[2]) })
  return new TransportError(message)
}
