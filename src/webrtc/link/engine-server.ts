import { Socket } from 'node:net'
import { TapedeckError } from '../../media/errors.ts'
import type { EngineSession, MediaEngine } from '../engine.ts'
import { type Command, isCommand, type MediaProcessOptions } from './command.ts'
import { LinkReader } from './reader.ts'
import { SessionOutlet } from './session-outlet.ts'
import { TrackNumbers } from './track-outlet.ts'
import { LINK_FD } from './wire.ts'
import { LinkWriter } from './writer.ts'

/** How often the media process says that it is well, ms. */
const ALIVE_INTERVAL_MS = 2000

interface Entry {
  readonly outlet: SessionOutlet
  session: EngineSession | undefined
}

/**
 * The media process: an engine that is told what to do over a link, and gives over it what sessions give.
 *
 * The process ends with the link: whoever is at its other end has gone.
 */
export class EngineServer {
  readonly #makeEngine: (options: MediaProcessOptions) => MediaEngine
  readonly #socket = new Socket({ fd: LINK_FD, readable: true, writable: true })
  readonly #writer = new LinkWriter(this.#socket)
  readonly #numbers = new TrackNumbers()
  readonly #sessions = new Map<number, Entry>()
  #engine: MediaEngine | undefined
  #options: MediaProcessOptions | undefined

  constructor(makeEngine: (options: MediaProcessOptions) => MediaEngine) {
    this.#makeEngine = makeEngine
  }

  run(): void {
    // the server decides; a signal to the whole group comes to it as well
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})
    const reader = new LinkReader({
      control: (message) => this.#obey(message),
      arena: () => undefined,
      frame: () => {},
      flush: () => {},
    })
    this.#socket.on('data', (bytes: Buffer) => reader.read(bytes, bytes.length))
    this.#socket.on('error', () => {})
    this.#socket.on('close', die)
    this.#socket.on('end', die)
    this.#writer.onDrain = () => this.#drain()
    setInterval(() => this.#writer.control({ op: 'alive' }), ALIVE_INTERVAL_MS)
  }

  #obey(message: unknown): void {
    if (!isCommand(message)) throw new TypeError('not a command')
    switch (message.op) {
      case 'configure':
        this.#options = message.options
        this.#engine = this.#makeEngine(message.options)
        return
      case 'publish':
      case 'watch':
        void this.#open(message)
        return
      case 'candidates':
        this.#sessions.get(message.session)?.session?.addCandidates(message.candidates)
        return
      case 'keyframe':
        this.#sessions.get(message.session)?.session?.requestKeyframe(message.trackId)
        return
      case 'finish':
        this.#sessions.get(message.session)?.session?.finish()
        return
      case 'close':
        this.#close(message.session)
        return
      case 'shutdown':
        void this.#shutDown()
        return
      default:
        message satisfies never
    }
  }

  async #open(command: Extract<Command, { op: 'publish' | 'watch' }>): Promise<void> {
    const { session: number } = command
    const entry: Entry = { outlet: this.#outlet(number), session: undefined }
    this.#sessions.set(number, entry)
    try {
      const session = await this.#begin(command, entry.outlet)
      if (this.#sessions.get(number) !== entry) {
        session.close()
        return
      }
      entry.session = session
      this.#writer.control({ op: 'answered', session: number, answer: session.answer })
    } catch (error) {
      this.#sessions.delete(number)
      const code = error instanceof TapedeckError ? error.code : 'TD_TRANSPORT'
      const text = error instanceof Error ? error.message : String(error)
      this.#writer.control({ op: 'refused', session: number, code, message: text.slice(0, 4000) })
    }
  }

  #begin(command: Extract<Command, { op: 'publish' | 'watch' }>, outlet: SessionOutlet): Promise<EngineSession> {
    if (this.#engine === undefined) throw new TypeError('not configured')
    if (command.op === 'publish') return this.#engine.publish(command.request, outlet)
    return this.#engine.watch(command.request, outlet)
  }

  #outlet(number: number): SessionOutlet {
    const bounds = this.#options?.queue ?? { videoFrames: 60, audioFrames: 200 }
    return new SessionOutlet(number, this.#writer, this.#numbers, bounds, {
      requestKeyframe: (trackId) => this.#sessions.get(number)?.session?.requestKeyframe(trackId),
      ended: () => this.#sessions.delete(number),
    })
  }

  #close(number: number): void {
    const entry = this.#sessions.get(number)
    this.#sessions.delete(number)
    entry?.outlet.clear()
    entry?.session?.close()
  }

  #drain(): void {
    for (let wrote = true; wrote && !this.#writer.isFull; ) {
      wrote = false
      for (const { outlet } of this.#sessions.values()) wrote = outlet.drainOne() || wrote
    }
  }

  async #shutDown(): Promise<void> {
    await this.#engine?.close()
    this.#writer.control({ op: 'closed' })
    this.#writer.flush()
    this.#socket.end()
  }
}

/** At once: what libdatachannel does at an orderly exit may hang, and there is nothing left to be put in order. */
function die(): void {
  process.kill(process.pid, 'SIGKILL')
}
