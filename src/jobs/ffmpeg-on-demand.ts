import { TapedeckError } from '../media/errors.ts'
import type { Logger } from '../media/ports.ts'
import type { JobHandler } from './job.ts'

/** An answer is good for so long, ms: somebody may install what is missing. */
const FRESH_MS = 60_000

/** The ffmpeg of this server, looked at and loaded when there is something to do. */
export class Ffmpeg {
  readonly #options: { readonly recordDir: string; readonly ffmpegPath: string; readonly logger: Logger }
  #handler: Promise<JobHandler> | undefined
  #problem: Promise<{ code: string; message: string } | undefined> | undefined
  #askedAtMs = 0

  constructor(options: { readonly recordDir: string; readonly ffmpegPath: string; readonly logger: Logger }) {
    this.#options = options
  }

  /** Does jobs with it. */
  get handler(): JobHandler {
    return async (job, context) => {
      this.#handler ??= import('./ffmpeg/handler.ts').then(({ createJobHandler }) => createJobHandler(this.#options))
      return (await this.#handler)(job, context)
    }
  }

  /** Why it cannot be used; undefined when it can. */
  problem(): Promise<{ readonly code: string; readonly message: string } | undefined> {
    const nowMs = performance.now()
    if (this.#problem === undefined || nowMs - this.#askedAtMs > FRESH_MS) {
      this.#askedAtMs = nowMs
      this.#problem = this.#look()
    }
    return this.#problem
  }

  async #look(): Promise<{ code: string; message: string } | undefined> {
    const { probeFfmpeg } = await import('./ffmpeg/facts.ts')
    try {
      await probeFfmpeg(this.#options.ffmpegPath)
      return undefined
    } catch (error) {
      if (!(error instanceof TapedeckError)) throw error
      return { code: error.code, message: error.message }
    }
  }
}
