import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import Fastify from 'fastify'
import { Access } from '../../src/api/access.ts'
import { EventSocket } from '../../src/api/event-socket.ts'
import { TokenKeeper } from '../../src/api/token.ts'
import { EventLog } from '../../src/events/event-log.ts'
import { WebhookDispatcher } from '../../src/events/webhook-dispatcher.ts'
import type { WebhookTiming } from '../../src/events/webhook-schedule.ts'
import type { Logger } from '../../src/media/ports.ts'
import { openStateStore } from '../../src/state/open-store.ts'

const silent: Logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
/** Of webhooks. */
export const EVENT_SERVER_SECRET = 'the webhook secret of event servers in tests'
/** Of tokens. */
export const EVENT_SERVER_KEY = Buffer.alloc(32, 9)
/** Impatient, so that no test waits long. */
export const EVENT_SERVER_TIMING: WebhookTiming = {
  firstRetryMs: 20,
  maxRetryMs: 200,
  timeoutMs: 400,
  lifetimeMs: 600_000,
  lookEveryMs: 200,
  keptMs: 600_000,
}

/** What an event server is started with. */
export interface EventServerOptions {
  readonly dataDir: string
  readonly redisUrl?: string
  readonly port: number
  readonly webhookUrls: readonly string[]
  readonly lifetimeMs?: number
}

/** A process that has of a server what concerns events: state, log, WebSocket, webhooks. It emits what it is told to. */
export class EventServer {
  readonly url: string
  readonly #options: EventServerOptions
  #child: ChildProcess | undefined
  #lines: string[] = []
  #onLine: (() => void)[] = []

  constructor(options: EventServerOptions) {
    this.#options = options
    this.url = `ws://127.0.0.1:${options.port}/api/events`
  }

  async start(): Promise<this> {
    this.#lines = []
    const child = spawn(process.execPath, [import.meta.filename, JSON.stringify(this.#options)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    this.#child = child
    const end = () => child.kill('SIGKILL')
    process.once('exit', end)
    child.once('exit', () => process.off('exit', end))
    createInterface({ input: child.stdout }).on('line', (line) => {
      this.#lines.push(line)
      for (const resolve of this.#onLine.splice(0)) resolve()
    })
    await this.#says('ready')
    return this
  }

  /** Emits events numbered `from` to `to`, over ten recordings. */
  emit(from: number, to: number): void {
    this.#child?.stdin?.write(`${from} ${to}\n`)
  }

  /** Resolves when the store has them all. */
  kept(to: number): Promise<void> {
    return this.#says(`kept ${to}`)
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill(signal)
    await gone
  }

  async #says(line: string): Promise<void> {
    while (!this.#lines.includes(line)) await new Promise<void>((resolve) => this.#onLine.push(resolve))
  }
}

/** The recording that event number `n` is about. */
export function recordingOf(n: number): string {
  return `r${n % 10}`
}

async function run(options: EventServerOptions): Promise<void> {
  const { dataDir, redisUrl, webhookUrls, port, lifetimeMs = EVENT_SERVER_TIMING.lifetimeMs } = options
  const lives = { stateTtlMs: 3_600_000, indexTtlMs: 3_600_000 }
  const store = await openStateStore({ dataDir, redisUrl, prefix: 'test:', ...lives, logger: silent })
  const webhooks = new WebhookDispatcher({
    ...{ store, urls: webhookUrls, secret: EVENT_SERVER_SECRET, allowPrivate: true, logger: silent },
    timing: { ...EVENT_SERVER_TIMING, lifetimeMs },
  })
  const log = new EventLog({ store, logger: silent, outboxes: webhooks.outboxes })
  const access = new Access({ requireToken: true, allowAnonymous: false }, new TokenKeeper(EVENT_SERVER_KEY))
  const app = Fastify({ forceCloseConnections: true })
  new EventSocket({ log, access, logger: silent, version: '0' }).mount(app, ['/api'])
  log.start()
  webhooks.start()
  await app.listen({ host: '127.0.0.1', port })
  process.once('SIGTERM', async () => {
    await app.close()
    await log.close({ deadlineMs: 10_000 })
    await webhooks.close()
    await store.close()
    process.exit(0)
  })
  createInterface({ input: process.stdin }).on('line', async (line) => {
    const [from, to] = line.split(' ').map(Number)
    for (let n = from; n <= to; n++) {
      const recordingId = recordingOf(n)
      log.emit({
        type: 'marker_added',
        roomId: 'demo',
        recordingId,
        userId: null,
        data: { n, recording_id: recordingId },
      })
      if (n % 100 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    while (log.pending > 0) await new Promise((resolve) => setTimeout(resolve, 5))
    process.stdout.write(`kept ${to}\n`)
  })
  process.stdout.write('ready\n')
}

if (process.argv[1] === import.meta.filename) await run(JSON.parse(process.argv[2]))
