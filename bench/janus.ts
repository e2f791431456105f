import { spawn } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { ended, freshDirectory, listening } from './servers.ts'
import type { WebrtcServer } from './webrtc-servers.ts'

const PORT = 21988
const API = `http://127.0.0.1:${PORT}/janus`
const ROOM = 4321
/** Janus forgets sessions that are silent for a minute, ms. */
const KEEPALIVE_MS = 20_000

type Answer = {
  readonly janus: string
  readonly data?: { readonly id: number }
  readonly jsep?: { readonly sdp: string }
  readonly plugindata?: { readonly data: Readonly<Record<string, unknown>> }
  readonly error?: { readonly reason: string }
  readonly sender?: number
  readonly transaction?: string
}

/** Debian's Janus as it is configured there, but for the port and certificates: one VideoRoom that records everything. */
export async function startJanus(): Promise<WebrtcServer> {
  const directory = freshDirectory('janus')
  const config = join(directory, 'config')
  const files = join(directory, 'files')
  mkdirSync(files)
  cpSync('/etc/janus', config, { recursive: true })
  const http = join(config, 'janus.transport.http.jcfg')
  writeFileSync(http, readFileSync(http, 'utf8').replace(/^(\s*port = )8088/m, `$1${PORT}`))
  const child = spawn('janus', ['-F', config], { stdio: ['ignore', 'ignore', 'inherit'] })
  await listening(PORT, child)
  const session = await JanusSession.open()
  await session.createRoom(files)
  return {
    name: 'Janus',
    pid: child.pid ?? 0,
    directory: files,
    publish: (name, offer) => session.publish(name, offer),
    hangUp: (name) => session.hangUp(name),
    stop: async () => {
      session.close()
      await ended(child, 'SIGTERM')
    },
  }
}

/** One session over HTTP, with a handle of VideoRoom for each publisher. */
class JanusSession {
  readonly #url: string
  readonly #handles = new Map<string, number>()
  readonly #waiting = new Map<string, (answer: Answer) => void>()
  readonly #keepalive: NodeJS.Timeout
  #isOpen = true

  private constructor(id: number) {
    this.#url = `${API}/${id}`
    this.#keepalive = setInterval(() => post(this.#url, { janus: 'keepalive' }).catch(() => undefined), KEEPALIVE_MS)
    void this.#poll()
  }

  static async open(): Promise<JanusSession> {
    const { data } = await post(API, { janus: 'create' })
    if (data === undefined) throw new Error('Janus gave no session')
    return new JanusSession(data.id)
  }

  async createRoom(directory: string): Promise<void> {
    const room = { room: ROOM, publishers: 1000, bitrate: 100_000_000, record: true, rec_dir: directory }
    const handle = await this.#attach('owner')
    await post(`${this.#url}/${handle}`, {
      janus: 'message',
      body: { request: 'create', ...room, videocodec: 'h264', notify_joining: false },
    })
  }

  async publish(name: string, offer: string): Promise<string> {
    const handle = await this.#attach(name)
    const body = { request: 'joinandconfigure', room: ROOM, ptype: 'publisher', display: name, filename: name }
    const { jsep, plugindata } = await this.#event(handle, {
      janus: 'message',
      body,
      jsep: { type: 'offer', sdp: offer },
    })
    if (jsep === undefined) throw new Error(`Janus gave no answer: ${JSON.stringify(plugindata)}`)
    return jsep.sdp
  }

  async hangUp(name: string): Promise<void> {
    await post(`${this.#url}/${this.#handles.get(name)}`, { janus: 'hangup' })
  }

  close(): void {
    this.#isOpen = false
    clearInterval(this.#keepalive)
  }

  async #attach(name: string): Promise<number> {
    const { data } = await post(this.#url, { janus: 'attach', plugin: 'janus.plugin.videoroom' })
    if (data === undefined) throw new Error('Janus gave no handle')
    this.#handles.set(name, data.id)
    return data.id
  }

  async #event(handle: number, request: object): Promise<Answer> {
    const transaction = crypto.randomUUID()
    const answered = new Promise<Answer>((resolve) => this.#waiting.set(transaction, resolve))
    await post(`${this.#url}/${handle}`, request, transaction)
    return answered
  }

  /** Answers to messages come as events, by long polls. */
  async #poll(): Promise<void> {
    while (this.#isOpen) {
      try {
        const events: Answer[] = await (await fetch(`${this.#url}?maxev=20`)).json()
        for (const event of events) {
          const { transaction = '' } = event
          if (event.janus !== 'event') continue
          this.#waiting.get(transaction)?.(event)
          this.#waiting.delete(transaction)
        }
      } catch {
        await delay(100)
      }
    }
  }
}

async function post(url: string, body: object, transaction = crypto.randomUUID() as string): Promise<Answer> {
  const response = await fetch(url, { method: 'POST', body: JSON.stringify({ ...body, transaction }) })
  const answer: Answer = await response.json()
  if (answer.error !== undefined) throw new Error(`Janus: ${answer.error.reason}`)
  return answer
}
