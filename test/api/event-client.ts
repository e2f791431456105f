import { once } from 'node:events'
import { WebSocket } from 'ws'

/** A message of the server. */
export interface EventMessage {
  readonly type: string
  readonly room_id: string | null
  readonly data: Readonly<Record<string, unknown>>
  readonly seq: number
  readonly time: string
  readonly id: string | null
}

function isMessage(value: unknown): value is EventMessage {
  return typeof value === 'object' && value !== null && 'type' in value && 'seq' in value && 'data' in value
}

/** An event socket as a program has one: what was said so far, and how it ended. */
export class EventClient {
  readonly messages: EventMessage[] = []
  readonly socket: WebSocket
  closed: { code: number; reason: string } | undefined
  #onChange: (() => void)[] = []

  constructor(url: string, headers: Readonly<Record<string, string>> = {}) {
    this.socket = new WebSocket(url, { headers })
    this.socket.on('message', (data) => {
      const message: unknown = JSON.parse(String(data))
      if (!isMessage(message)) throw new Error(`not a message: ${String(data)}`)
      this.messages.push(message)
      this.#tell()
    })
    this.socket.on('error', () => undefined)
    this.socket.on('close', (code, reason) => {
      this.closed = { code, reason: String(reason) }
      this.#tell()
    })
  }

  /** Opened, and greeted. */
  static async greeted(url: string, headers: Readonly<Record<string, string>> = {}): Promise<EventClient> {
    const client = new EventClient(url, headers)
    await client.until(() => client.messages.length > 0)
    return client
  }

  /** Without what the server says of its own. */
  get events(): EventMessage[] {
    return this.messages.filter(({ id }) => id !== null)
  }

  say(message: object): void {
    this.socket.send(JSON.stringify(message))
  }

  async opened(): Promise<void> {
    if (this.socket.readyState === WebSocket.CONNECTING) await once(this.socket, 'open')
  }

  /** Resolves as soon as `holds` does; fails when the socket closes before. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      if (this.closed !== undefined) throw new Error(`closed: ${this.closed.code} ${this.closed.reason}`)
      await new Promise<void>((resolve) => this.#onChange.push(resolve))
    }
  }

  async end(): Promise<{ code: number; reason: string }> {
    while (this.closed === undefined) await new Promise<void>((resolve) => this.#onChange.push(resolve))
    return this.closed
  }

  #tell(): void {
    for (const resolve of this.#onChange.splice(0)) resolve()
  }
}
