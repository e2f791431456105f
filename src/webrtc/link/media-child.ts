import { type ChildProcess, spawn } from 'node:child_process'
import { Socket } from 'node:net'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MediaProcessError } from '../transport-error.ts'
import type { Command, MediaProcessOptions } from './command.ts'
import { Placement } from './placement.ts'
import { LinkReader, type LinkSink } from './reader.ts'
import { readShared } from './shared-read.ts'
import { LINK_FD } from './wire.ts'
import { LinkWriter } from './writer.ts'

/**
 * Objects of media live for a moment, so that a larger nursery is memory and nothing else, and threads that help to collect it cost
 * more to wake than they save (both measured).
 */
const NODE_FLAGS = [
  '--max-semi-space-size=2',
  '--heap-growing-percent=40',
  '--single-threaded-gc',
  '--disable-warning=ExperimentalWarning',
]
/** Pools of glibc's malloc: each of a dozen native threads would have its own. */
const ENVIRONMENT = { MALLOC_ARENA_MAX: '2' }
/** Of what it wrote before it died, for the log, characters. */
const MAX_LAST_WORDS = 2000
/** After it was told to end, ms. */
const EXIT_DEADLINE_MS = 2000

/** What happens to a media process. */
export interface MediaChildHandler extends LinkSink {
  /** Once. Nothing follows. */
  gone(reason: string): void
}

/** The entry beside this module: TypeScript from source, JavaScript when built, each in its own directory or in one bundle. */
export function mediaProcessEntry(): URL {
  const extension = extname(import.meta.url)
  const isAlone = /\/webrtc\/link\/media-child\.[jt]s$/.test(import.meta.url)
  return new URL(`${isAlone ? '../' : './'}media-process${extension}`, import.meta.url)
}

/** One media process and the link to it. */
export class MediaChild {
  readonly #child: ChildProcess
  readonly #socket: Socket
  readonly #writer: LinkWriter
  readonly #reader: LinkReader
  readonly #handler: MediaChildHandler
  readonly #exited: Promise<void>
  readonly #placement: Placement | undefined
  #isGone = false
  #lastWords = ''
  /** `performance.now()` of the last thing that was heard of it, ms. */
  heardMs = performance.now()

  /** @throws MediaProcessError when it cannot be started */
  constructor(entry: URL, options: MediaProcessOptions, handler: MediaChildHandler) {
    this.#handler = handler
    this.#child = spawn(process.execPath, [...NODE_FLAGS, fileURLToPath(entry)], {
      stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...ENVIRONMENT },
    })
    this.#placement = this.#child.pid === undefined ? undefined : new Placement(this.#child.pid)
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#exited = promise
    this.#child.on('exit', (code, signal) => {
      resolve()
      this.#end(signal === null ? `ended with code ${code}` : `died of ${signal}`)
    })
    this.#child.on('error', (error) => {
      resolve()
      this.#end(`could not be started: ${error.message}`)
    })
    this.#child.stderr?.on('data', (bytes: Buffer) => {
      this.#lastWords = (this.#lastWords + bytes.toString()).slice(-MAX_LAST_WORDS)
    })
    const pipe = this.#child.stdio[LINK_FD]
    if (!(pipe instanceof Socket)) throw new MediaProcessError('The media process has no link; start the server anew')
    this.#reader = new LinkReader(handler)
    this.#socket = readShared(pipe, (bytes, length) => this.#read(bytes, length))
    this.#socket.on('error', () => {})
    this.#writer = new LinkWriter(this.#socket)
    this.tell({ op: 'configure', options })
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** What it wrote to its standard error output, the last of it. */
  get lastWords(): string {
    return this.#lastWords.trim()
  }

  /** Goes out at once. False when it is too long for a message. */
  tell(command: Command): boolean {
    if (this.#isGone) return true
    const isTold = this.#writer.control(command)
    this.#writer.flush()
    return isTold
  }

  /** Ends it, orderly if it does so in time. Resolves when it is gone. */
  async shutDown(): Promise<void> {
    this.tell({ op: 'shutdown' })
    const deadline = setTimeout(() => this.kill(), EXIT_DEADLINE_MS)
    await this.#exited
    clearTimeout(deadline)
  }

  /** It is closed as far as it is concerned. */
  hangUp(): void {
    this.#socket.destroy()
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }

  #read(bytes: Buffer, length: number): void {
    if (this.#isGone) return
    this.heardMs = performance.now()
    try {
      this.#reader.read(bytes, length)
    } catch (error) {
      this.#end(`said what cannot be: ${error instanceof Error ? error.message : error}`)
    }
  }

  #end(reason: string): void {
    if (this.#isGone) return
    this.#isGone = true
    this.#placement?.stop()
    this.kill()
    this.#reader.close()
    this.#socket.destroy()
    this.#handler.gone(reason)
  }
}
