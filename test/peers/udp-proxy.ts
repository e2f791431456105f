import { type ChildProcess, fork } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import type { DirectionCounts, Impairment } from './udp-impairment.ts'

/** What happens each way: `up` towards the server. */
export interface Impairments {
  readonly up?: Impairment
  readonly down?: Impairment
}

/** What went through a proxy, each way. */
export interface ProxyCounts {
  readonly up: DirectionCounts
  readonly down: DirectionCounts
}

/** What the process of proxies is told. Each is answered with counts, `open` with a port. */
export type ProxyCommand =
  | {
      readonly type: 'open'
      readonly id: number
      readonly targetPort: number
      readonly seed: number
      readonly up: Impairment
      readonly down: Impairment
    }
  | { readonly type: 'impair'; readonly id: number; readonly up: Impairment; readonly down: Impairment }
  | { readonly type: 'outage'; readonly id: number; readonly lengthMs: number }
  | { readonly type: 'rebind' | 'counts' | 'close'; readonly id: number }

/** What it answers. */
export type ProxyReply =
  | { readonly type: 'ready' }
  | { readonly type: 'open'; readonly id: number; readonly port: number }
  | { readonly type: 'counts'; readonly id: number; readonly counts: ProxyCounts }

type NumberedReply = Exclude<ProxyReply, { type: 'ready' }>

/** UDP proxies in a process of their own, so that nothing but what they are told delays a packet. */
export class UdpProxies {
  readonly #process: ChildProcess
  readonly #replies = new EventEmitter<{ reply: [NumberedReply] }>()
  #opened = 0

  private constructor(child: ChildProcess) {
    this.#process = child
    this.#replies.setMaxListeners(0)
    child.on('message', (reply: ProxyReply) => {
      if (reply.type !== 'ready') this.#replies.emit('reply', reply)
    })
  }

  static async start(): Promise<UdpProxies> {
    const child = fork(new URL('./udp-proxy-process.ts', import.meta.url), { serialization: 'advanced' })
    await once(child, 'message')
    return new UdpProxies(child)
  }

  /** A proxy to a port of this host. What is random about it is the same for the same seed. */
  async open(targetPort: number, seed: number, { up = {}, down = {} }: Impairments = {}): Promise<UdpProxy> {
    const id = this.#opened++
    const reply = await this.#ask({ type: 'open', id, targetPort, seed, up, down })
    if (reply.type !== 'open') throw new Error('the proxy did not open')
    return new UdpProxy(reply.port, async (command) => {
      const answer = await this.#ask({ ...command, id })
      if (answer.type !== 'counts') throw new Error('the proxy did not count')
      return answer.counts
    })
  }

  async close(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    const gone = once(this.#process, 'exit')
    this.#process.kill()
    await gone
  }

  /** Answers come in the order of what was asked of one proxy. */
  #ask(command: ProxyCommand): Promise<NumberedReply> {
    return new Promise((resolve, reject) => {
      const gone = () => settle(() => reject(new Error('the process of proxies is gone')))
      const heard = (reply: NumberedReply) => {
        if (reply.id === command.id) settle(() => resolve(reply))
      }
      const settle = (then: () => void) => {
        this.#process.off('exit', gone)
        this.#replies.off('reply', heard)
        then()
      }
      this.#process.on('exit', gone)
      this.#replies.on('reply', heard)
      this.#process.send(command)
    })
  }
}

type Numbered = Exclude<ProxyCommand, { type: 'open' }>
type Unnumbered<Command> = Command extends unknown ? Omit<Command, 'id'> : never

/** Between clients and a server on this host: loses, delays, doubles and reorders what it is told to, and counts. */
export class UdpProxy {
  readonly host = '127.0.0.1'
  /** Where clients send to. */
  readonly port: number
  readonly #tell: (command: Unnumbered<Numbered>) => Promise<ProxyCounts>

  constructor(port: number, tell: (command: Unnumbered<Numbered>) => Promise<ProxyCounts>) {
    this.port = port
    this.#tell = tell
  }

  async impair({ up = {}, down = {} }: Impairments): Promise<void> {
    await this.#tell({ type: 'impair', up, down })
  }

  /** Nothing goes through, either way, for so long from now. */
  async outage(lengthMs: number): Promise<void> {
    await this.#tell({ type: 'outage', lengthMs })
  }

  /** From now on the server sees clients at other ports. */
  async rebind(): Promise<void> {
    await this.#tell({ type: 'rebind' })
  }

  /** What went through so far. */
  counts(): Promise<ProxyCounts> {
    return this.#tell({ type: 'counts' })
  }

  async close(): Promise<void> {
    await this.#tell({ type: 'close' })
  }
}
