import { type ChildProcess, spawn } from 'node:child_process'
import { main } from './program.ts'

/** How a command line ended. */
export interface CliResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** One `tapedeck …` as a user runs it, with what it says so far. */
export class CliProcess {
  stdout = ''
  stderr = ''
  readonly ended: Promise<CliResult>
  readonly #child: ChildProcess
  #onOutput: (() => void)[] = []

  constructor(args: readonly string[], options: { cwd: string; env?: Readonly<Record<string, string>> }) {
    const child = spawn(process.execPath, [main, ...args], {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child = child
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text
      this.#tell()
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
      this.#tell()
    })
    this.ended = new Promise((settle) => {
      child.on('close', (code) => {
        settle({ code, stdout: this.stdout, stderr: this.stderr })
        this.#tell()
      })
    })
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name)
  }

  /** Resolves with the match when what was said on either stream has one. */
  async says(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.stdout) ?? pattern.exec(this.stderr)
      if (match !== null) return match
      if (!this.isRunning) throw new Error(`ended without saying ${pattern}:\n${this.stdout}\n${this.stderr}`)
      await new Promise<void>((settle) => this.#onOutput.push(settle))
    }
  }

  #tell(): void {
    for (const settle of this.#onOutput.splice(0)) settle()
  }
}

/** Runs a command line to its end. */
export function cli(cwd: string, args: readonly string[], env?: Readonly<Record<string, string>>): Promise<CliResult> {
  return new CliProcess(args, env === undefined ? { cwd } : { cwd, env }).ended
}
