import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { constants } from 'node:os'
import type { Readable, Writable } from 'node:stream'
import { FfmpegFailedError, FfmpegMissingError } from './errors.ts'
import { LineSplitter } from './line-splitter.ts'
import { NOT_STARTED, SIGNAL_CODES, supervised } from './supervisor.ts'

/** What is kept of a child's complaints, bytes. */
const MAX_STDERR_BYTES = 16 * 1024
/** Between SIGTERM and SIGKILL, ms. */
const KILL_AFTER_MS = 2000
/** A child that shows no sign of life for so long hangs, ms. */
const STALL_MS = 120_000

/** What can be said of a run beside its command line. */
export interface RunOptions {
  /** Ends the child: SIGTERM, and SIGKILL two seconds later. The run fails with the signal's reason. */
  readonly signal: AbortSignal
  /** Each line of standard output. Returns whether it shows that there was progress; what returns nothing always does. */
  readonly onLine?: (line: string) => boolean | undefined
  /** 120,000 by default. */
  readonly stallMs?: number
}

type Child = ChildProcessByStdio<Writable, Readable, Readable>

/**
 * Runs ffmpeg or ffprobe to its end and returns the last of what it said on standard error.
 * @throws FfmpegMissingError, FfmpegFailedError, or the reason of `signal`
 */
export async function runChild(command: string, args: readonly string[], options: RunOptions): Promise<string> {
  options.signal.throwIfAborted()
  const { file, args: words } = supervised(command, args)
  const child: Child = spawn(file, words, { stdio: ['pipe', 'pipe', 'pipe'], detached: true })
  const run = new ChildRun(child, options)
  const { code, signal } = await run.ended
  options.signal.throwIfAborted()
  if (run.hasStalled) throw new FfmpegFailedError(`hung: no progress for ${run.stallMs / 1000} s`, run.stderr)
  if (code === 0) return run.stderr
  if (code !== null && NOT_STARTED.includes(code)) throw new FfmpegMissingError(command)
  throw new FfmpegFailedError(endOf(code, signal), run.stderr)
}

/** One child from its start to its end. */
class ChildRun {
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
  readonly stallMs: number
  hasStalled = false
  readonly #child: Child
  readonly #stall: NodeJS.Timeout
  #kill: NodeJS.Timeout | undefined
  #stderr = Buffer.alloc(0)

  constructor(child: Child, options: RunOptions) {
    this.#child = child
    this.stallMs = options.stallMs ?? STALL_MS
    this.#stall = setTimeout(() => {
      this.hasStalled = true
      this.#end()
    }, this.stallMs)
    const end = () => this.#end()
    options.signal.addEventListener('abort', end, { once: true })
    this.#listen(options.onLine)
    this.ended = new Promise((resolve, reject) => {
      child.on('error', (cause) => reject(new FfmpegMissingError('/bin/sh', { cause })))
      // a supervisor that was killed leaves its group behind
      child.on('exit', (_code, signal) => signal !== null && this.#signal('SIGKILL'))
      child.on('close', (code, signal) => resolve({ code, signal }))
    })
    const release = () => {
      options.signal.removeEventListener('abort', end)
      clearTimeout(this.#stall)
      clearTimeout(this.#kill)
      child.stdin.destroy()
    }
    this.ended.then(release, release)
  }

  get stderr(): string {
    return this.#stderr.toString('utf8')
  }

  #listen(onLine: RunOptions['onLine']): void {
    this.#child.stdin.on('error', () => undefined) // it ended; its exit code says why
    const lines = new LineSplitter((line) => {
      if (onLine?.(line) !== false) this.#stall.refresh()
    })
    this.#child.stdout.on('data', (bytes: Buffer) => lines.push(bytes))
    this.#child.stdout.on('end', () => lines.end())
    this.#child.stderr.on('data', (bytes: Buffer) => {
      this.#stderr = Buffer.concat([this.#stderr, bytes]).subarray(-MAX_STDERR_BYTES)
    })
  }

  #end(): void {
    if (this.#kill !== undefined) return
    this.#signal('SIGTERM')
    this.#kill = setTimeout(() => this.#signal('SIGKILL'), KILL_AFTER_MS)
  }

  /** To the whole group: supervisor and program. */
  #signal(signal: NodeJS.Signals): void {
    if (this.#child.pid === undefined) return
    try {
      process.kill(-this.#child.pid, signal)
    } catch {
      // all of the group have ended
    }
  }
}

function endOf(code: number | null, signal: NodeJS.Signals | null): string {
  if (signal !== null) return `was ended by ${signal}`
  if (code === null || code <= SIGNAL_CODES) return `ended with code ${code}`
  const number = code - SIGNAL_CODES
  const name = Object.entries(constants.signals).find(([, value]) => value === number)?.[0]
  return name === undefined ? `ended with code ${code}` : `was ended by ${name}`
}
