import { type FileHandle, mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Logger } from '../media/ports.ts'

/** What happened to a file. */
export type AuditEvent = 'created' | 'rotated' | 'finalised' | 'repaired' | 'deleted' | 'failed'

/** Takes note of what happens to recording files. Never throws, never waits. */
export interface Audit {
  note(event: AuditEvent, path: string, details: Readonly<Record<string, unknown>>): void
}

/** For those who keep no audit. */
export const noAudit: Audit = { note: () => undefined }

/** Lines that may wait for a disk that does not answer; more are lost, and that is logged. */
const MAX_WAITING_LINES = 10_000

/** The audit as JSON lines in a file of its own, mode 0600, only ever appended to. */
export class AuditLog implements Audit {
  readonly #path: string
  readonly #logger: Logger
  #waiting: string[] = []
  #writing: Promise<void> | undefined
  #handle: FileHandle | undefined
  #failed = false

  constructor(path: string, logger: Logger) {
    this.#path = path
    this.#logger = logger
  }

  note(event: AuditEvent, path: string, details: Readonly<Record<string, unknown>>): void {
    const line = `${JSON.stringify({ time: new Date().toISOString(), event, path, ...details })}\n`
    if (this.#waiting.length < MAX_WAITING_LINES) this.#waiting.push(line)
    else this.#fail(new Error(`${MAX_WAITING_LINES} lines wait already`))
    this.#writing ??= this.#write()
  }

  /** Writes out what waits and closes. A later `note` opens the file again. */
  async close(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing
    await this.#handle?.close().catch(() => undefined)
    this.#handle = undefined
  }

  async #write(): Promise<void> {
    await Promise.resolve() // so that `#writing` is set before it is cleared
    while (this.#waiting.length > 0) {
      const lines = this.#waiting.splice(0)
      try {
        this.#handle ??= await this.#open()
        await this.#handle.appendFile(lines.join(''))
        this.#failed = false
      } catch (error) {
        this.#fail(error)
      }
    }
    this.#writing = undefined
  }

  async #open(): Promise<FileHandle> {
    await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 })
    return open(this.#path, 'a', 0o600)
  }

  #fail(error: unknown): void {
    if (!this.#failed) this.#logger.error({ err: error, path: this.#path }, 'audit log cannot be written')
    this.#failed = true
  }
}
