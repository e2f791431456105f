import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MEMORY_FLAGS } from '../../src/cli/nursery.ts'
import { main } from './program.ts'

/** Compiled sources are kept here, which halves the time of a start. */
const compileCache = join(tmpdir(), `tapedeck-test-compiled-${process.getuid?.() ?? 0}`)

/** A server that lives for seconds gains nothing from what V8 does in other threads; without it a start costs a sixth less. */
const SHORT_LIFE_FLAGS = ['--no-concurrent-recompilation', '--single-threaded-gc']

const all = new Set<TapedeckProcess>()

/** A directory that is removed by `drop`. */
export function scratch(name: string): { path: string; drop(): void } {
  const path = mkdtempSync(join(tmpdir(), `tapedeck-${name}-`))
  return { path, drop: () => rmSync(path, { recursive: true, force: true }) }
}

/** Of each test worker its own, so that none is given out twice. */
const PORTS = 2000
const firstPort = 10_000 + (Number(process.env.VITEST_POOL_ID ?? 0) % 10) * PORTS
const given = new Set<number>()

/** A port that was free a moment ago, below the ephemeral range. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = firstPort + Math.floor(Math.random() * PORTS)
    if (given.size < PORTS / 2 && given.has(port)) continue
    given.add(port)
    const taken = await new Promise<boolean>((settle) => {
      const socket = connect(port, '127.0.0.1', () => settle(true)).on('error', () => settle(false))
      socket.on('connect', () => socket.destroy())
    })
    if (!taken) return port
  }
}

/** The server as a user runs it: a process of its own, on ports of its own. */
export class TapedeckProcess {
  readonly rtmp: string
  readonly http: string
  readonly rtmpPort: number
  readonly recordings: string
  /** Where it keeps its state. */
  readonly data: string
  readonly #directory: string
  readonly #flags: readonly string[]
  readonly #httpPort: number
  #child: ChildProcess | undefined
  /** Everything that was written to stdout and stderr, over all starts. */
  output = ''
  #startedAt = 0
  #onOutput: (() => void)[] = []

  private constructor(directory: string, rtmpPort: number, httpPort: number, flags: readonly string[]) {
    this.#directory = directory
    this.#flags = flags
    this.rtmpPort = rtmpPort
    this.#httpPort = httpPort
    this.rtmp = `rtmp://127.0.0.1:${rtmpPort}`
    this.http = `http://127.0.0.1:${httpPort}`
    this.recordings = flagValue(flags, '--record-dir') ?? join(directory, 'recordings')
    this.data = flagValue(flags, '--data-dir') ?? join(directory, 'data')
  }

  /** Starts one that keeps its state and files below `directory`. */
  static async start(directory: string, ...flags: readonly string[]): Promise<TapedeckProcess> {
    mkdirSync(directory, { recursive: true })
    const server = new TapedeckProcess(directory, await freePort(), await freePort(), flags)
    all.add(server)
    await server.start()
    return server
  }

  get pid(): number {
    return this.#child?.pid ?? 0
  }
  /** What was written since the last start. */
  get lines(): string[] {
    return this.output.slice(this.#startedAt).split('\n')
  }
  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** Once more, on the same ports, state and files. Resolves when it answers on both ports. */
  async start(): Promise<void> {
    const fixed = [
      '--rtmp',
      `127.0.0.1:${this.rtmpPort}`,
      '--http',
      `127.0.0.1:${this.#httpPort}`,
      '--webrtc-port',
      '0',
    ]
    const places = ['--record-dir', this.recordings, '--data-dir', this.data]
    // flags that `serve` would begin anew with: given at once, a start costs half
    const nodeFlags = [...MEMORY_FLAGS, ...SHORT_LIFE_FLAGS]
    const child = spawn(process.execPath, [...nodeFlags, main, 'serve', ...fixed, ...places, ...this.#flags], {
      cwd: this.#directory,
      env: { ...process.env, NODE_COMPILE_CACHE: compileCache },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child = child
    this.#startedAt = this.output.length
    child.on('close', () => this.#tell())
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.output += text
        this.#tell()
      })
    }
    const deadline = performance.now() + 60_000
    while (!(await this.#answers())) {
      if (!this.isRunning) throw new Error(`tapedeck did not start:\n${this.output}`)
      if (performance.now() > deadline) throw new Error(`tapedeck does not answer:\n${this.output}`)
    }
  }

  /** Ends all that a test of this file left running. For `afterAll`. */
  static async endAll(): Promise<void> {
    await Promise.all([...all].map((server) => server.end('SIGKILL')))
  }

  /** Ends it and waits until it is gone. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    const child = this.#child
    if (child === undefined || !this.isRunning) return child?.exitCode ?? null
    const gone = new Promise<number | null>((settle) => child.once('close', settle))
    child.kill(signal)
    return gone
  }

  /** Resolves with the first line like `pattern` since the last start, written or to come within a minute. */
  async says(pattern: RegExp): Promise<string> {
    const deadline = performance.now() + 60_000
    const timer = setInterval(() => this.#tell(), 1000)
    try {
      return await this.#says(pattern, deadline)
    } finally {
      clearInterval(timer)
    }
  }

  async #says(pattern: RegExp, deadline: number): Promise<string> {
    for (;;) {
      const line = this.lines.find((each) => pattern.test(each))
      if (line !== undefined) return line
      if (!this.isRunning || performance.now() > deadline) {
        const what = this.isRunning ? 'does not say' : 'ended without saying'
        throw new Error(`${what} ${pattern}:\n${this.lines.join('\n')}`)
      }

      await new Promise<void>((settle) => this.#onOutput.push(settle))
    }
  }

  /** Names of all recording files, sorted. */
  files(): string[] {
    if (!existsSync(this.recordings)) return []
    return readdirSync(this.recordings)
      .filter((name) => /\.(mp4|webm|flv|mkv)$/.test(name))
      .sort()
  }

  /** The value of one metric, summed over its labels; undefined while it is not there. */
  async metric(name: string): Promise<number | undefined> {
    const page = await (await fetch(`${this.http}/metrics`)).text()
    const values = [...page.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'))].map((match) =>
      Number(match[1]),
    )
    return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0)
  }

  #tell(): void {
    for (const settle of this.#onOutput.splice(0)) settle()
  }

  async #answers(): Promise<boolean> {
    try {
      const health: { phase?: unknown } = await (await fetch(`${this.http}/healthz`)).json()
      if (health.phase !== 'starting') return true
      throw new Error('not yet')
    } catch {
      await new Promise((settle) => setTimeout(settle, 20))
      return false
    }
  }
}

function flagValue(flags: readonly string[], name: string): string | undefined {
  const at = flags.indexOf(name)
  return at < 0 ? undefined : flags[at + 1]
}
