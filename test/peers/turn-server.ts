import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from './tapedeck.ts'
import { until } from './until.ts'

/** Relayed addresses have these ports: below those that the system gives out, beside those of `freePort`. */
const RELAYED_PORTS = { first: 28_000, last: 28_999 }

/** How a TURN server is set up. */
export interface TurnServerOptions {
  /** `use-auth-secret`. */
  readonly secret: string
  /** Where relayed packets seem to come from: an address of loopback. */
  readonly relayAddress: string
  /** To and from here nothing is relayed. */
  readonly deniedPeer?: string
}

/** Debian's coturn, by UDP on loopback. */
export class TurnServer {
  readonly port: number
  readonly #process: ChildProcess
  #said = ''

  private constructor(child: ChildProcess, port: number) {
    this.port = port
    this.#process = child
    child.stdout?.on('data', (text) => {
      this.#said += text
    })
  }

  static async start(directory: string, { secret, relayAddress, deniedPeer }: TurnServerOptions): Promise<TurnServer> {
    mkdirSync(directory, { recursive: true })
    const port = await freePort()
    const args = [
      ...`-n -v -m 1 --no-tls --no-dtls --no-tcp --no-cli --simple-log --log-file=stdout --allow-loopback-peers`.split(
        ' ',
      ),
      ...`--realm=tapedeck.test --use-auth-secret --static-auth-secret=${secret}`.split(' '),
      ...`--listening-ip=127.0.0.1 --listening-port=${port} --relay-ip=${relayAddress}`.split(' '),
      ...`--min-port=${RELAYED_PORTS.first} --max-port=${RELAYED_PORTS.last}`.split(' '),
      ...(deniedPeer === undefined ? [] : [`--denied-peer-ip=${deniedPeer}`]),
      ...['--userdb', join(directory, 'turndb'), '--pidfile', join(directory, 'pid')],
    ]
    const child = spawn('/usr/bin/turnserver', args, { stdio: ['ignore', 'pipe', 'ignore'] })
    const server = new TurnServer(child, port)
    await until('the TURN server', () => {
      if (child.exitCode !== null) throw new Error(`turnserver has ended: ${server.#said}`)
      return /UDP listener opened/.test(server.#said) || undefined
    })
    return server
  }

  /** As `--ice-server` has it; who uses it shows a password of the secret. */
  get url(): string {
    return `turn:127.0.0.1:${this.port}`
  }

  /** Users to whom it has given a relayed address, each once. */
  get users(): string[] {
    const found = [...this.#said.matchAll(/user <([^>]*)>: incoming packet ALLOCATE processed, success/g)]
    return [...new Set(found.map(([, user]) => user))]
  }

  async close(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    const gone = once(this.#process, 'exit')
    this.#process.kill('SIGKILL') // what it closes politely takes seconds
    await gone
  }
}
