import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { FfmpegFailedError, FfmpegMissingError } from '../jobs/ffmpeg/errors.ts'

/** What is kept of ffmpeg's complaints, characters. */
const MAX_STDERR = 4000

/** One ffmpeg that eats what is written to it: started → ended | failed. */
export class FfmpegChild {
  readonly #child: ChildProcessWithoutNullStreams
  readonly #ended: Promise<void>
  #stderr = ''
  failure: Error | undefined

  private constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-MAX_STDERR)
    })
    child.stdout.resume()
    child.stdin.on('error', () => undefined) // EPIPE: why it ended says more
    this.#ended = new Promise((resolve) => {
      child.on('close', (code, signal) => {
        const how = signal === null ? `ended with code ${code}` : `was ended by ${signal}`
        if (code !== 0) this.failure ??= new FfmpegFailedError(how, this.#stderr)
        resolve()
      })
    })
  }

  /** @throws FfmpegMissingError */
  static async start(command: string, args: readonly string[]): Promise<FfmpegChild> {
    const child = spawn(command, ['-hide_banner', '-loglevel', 'error', '-nostdin', ...args], { stdio: 'pipe' })
    const started = new FfmpegChild(child)
    try {
      await once(child, 'spawn')
    } catch (error) {
      throw new FfmpegMissingError(command, { cause: error })
    }
    return started
  }

  get backlogBytes(): number {
    return this.#child.stdin.writableLength
  }

  /** `bytes` must stay as they are: hand over a copy. */
  write(bytes: Uint8Array): void {
    if (this.failure === undefined) this.#child.stdin.write(bytes)
  }

  /** Resolves when ffmpeg has taken nearly everything. @throws FfmpegFailedError */
  async drain(): Promise<void> {
    if (this.#child.stdin.writableNeedDrain && this.failure === undefined) {
      const stop = new AbortController()
      await Promise.race([
        once(this.#child.stdin, 'drain', { signal: stop.signal }).catch(() => undefined),
        this.#ended,
      ])
      stop.abort()
    }
    if (this.failure !== undefined) throw this.failure
  }

  /** Ends the input and waits. @throws FfmpegFailedError */
  async finish(): Promise<void> {
    this.#child.stdin.end()
    await this.#ended
    if (this.failure !== undefined) throw this.failure
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#ended
  }
}
