import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './tapedeck.ts'

/** How long a server may take to come up, ms. */
const START_MS = 30_000
const RETRY_MS = 25

/** What a server may be told. */
export interface RedisPeerOptions {
  readonly password?: string
  /** Further arguments of `redis-server`. */
  readonly flags?: readonly string[]
}

/**
 * A real Redis on a port and in a directory of its own. Every write is handed to the system before it is answered (AOF), so
 * that nothing answered is lost when the process is killed.
 */
export class RedisPeer {
  readonly port: number
  /** For clients: with the password where there is one. */
  readonly url: string
  readonly #directory: string
  readonly #options: RedisPeerOptions
  #child: ChildProcess | undefined

  constructor(port: number, options: RedisPeerOptions) {
    this.port = port
    this.url = `redis://${options.password === undefined ? '' : `:${options.password}@`}127.0.0.1:${port}`
    this.#options = options
    this.#directory = mkdtempSync(join(tmpdir(), 'tapedeck-redis-'))
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** On the same port and data as before. Resolves when it answers. */
  async start(): Promise<void> {
    const { password, flags = [] } = this.#options
    const secret = password === undefined ? [] : ['--requirepass', password]
    const durable = ['--appendonly', 'yes', '--appendfsync', 'no', '--save', '', '--dir', this.#directory]
    const child = spawn(
      '/usr/bin/redis-server',
      ['--port', String(this.port), '--bind', '127.0.0.1', ...durable, ...secret, ...flags],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )
    let said = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-4000)
    })
    this.#child = child
    process.once('exit', () => child.kill('SIGKILL'))
    const deadline = performance.now() + START_MS
    while (!(await this.#answers())) {
      if (child.exitCode !== null) throw new Error(`redis-server did not start:\n${said}`)
      if (performance.now() > deadline) throw new Error(`redis-server does not answer:\n${said}`)
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
    }
  }

  /** Ended politely when it still runs, and started again. */
  async restart(): Promise<void> {
    await this.#end('SIGTERM')
    await this.start()
  }

  /** It stands still: connections stay open, nothing is answered. */
  pause(): void {
    this.#child?.kill('SIGSTOP')
  }

  resume(): void {
    this.#child?.kill('SIGCONT')
  }

  /** Gone without a word; `restart` brings it back. */
  async kill9(): Promise<void> {
    await this.#end('SIGKILL')
  }

  /** For good, with its data. */
  async stop(): Promise<void> {
    await this.#end('SIGKILL')
    rmSync(this.#directory, { recursive: true, force: true })
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill(signal)
    child.kill('SIGCONT')
    await gone
  }

  /** Whether it answers, and has its data loaded. */
  #answers(): Promise<boolean> {
    const { password } = this.#options
    const hello = password === undefined ? 'PING\r\n' : `AUTH ${password}\r\nPING\r\n`
    return new Promise((settle) => {
      let said = ''
      const socket = connect(this.port, '127.0.0.1', () => socket.write(hello))
      socket.setTimeout(1000, () => socket.destroy())
      socket.on('data', (bytes) => {
        said += bytes
        if (!/\+PONG|-LOADING/.test(said)) return
        settle(said.includes('+PONG'))
        socket.destroy()
      })
      socket.on('error', () => settle(false)).on('close', () => settle(false))
    })
  }
}

/** A Redis that runs. The caller ends it with `stop`. */
export async function startRedis(options: RedisPeerOptions = {}): Promise<RedisPeer> {
  const peer = new RedisPeer(await freePort(), options)
  await peer.start()
  return peer
}
