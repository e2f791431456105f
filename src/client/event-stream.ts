import type { TapedeckEvent } from '../events/event.ts'
import { ApiError } from './api-error.ts'
import type { Connection } from './connection.ts'

/** Between two tries to connect, ms: doubled from the first to the last. */
const FIRST_PAUSE_MS = 250
const LAST_PAUSE_MS = 10_000
/** What the server says when it will not have us, whatever we try (src/api/event-message.ts). */
const REFUSALS: Readonly<Record<number, string>> = {
  4400: 'TD_BAD_REQUEST',
  4401: 'TD_BAD_TOKEN',
  4403: 'TD_FORBIDDEN',
}
/** Said of a token that was good, too, once it ends. */
const EXPIRED = 4401

/** What the server says of its own. */
interface Notice<Type extends string> {
  readonly id: null
  readonly type: Type
  readonly room_id: null
  readonly data: Readonly<Record<string, unknown>>
  readonly seq: number
  readonly time: string
}

/** Events are missing before this one: the server no longer keeps what happened since. */
export type ReplayGap = Notice<'replay_gap'>

/** Which events. */
export interface EventOptions {
  /** Only of these rooms; of all that the token may hear of by default. */
  readonly rooms?: readonly string[]
  /** Go on behind this number; from now on by default. */
  readonly since?: number
  /** Ends the stream. */
  readonly signal?: AbortSignal
}

/**
 * Events as they happen, each once and in order, over as many connections, and tokens, as it takes: after each loss it goes on
 * where it was.
 * @throws ApiError when the server refuses
 */
export async function* eventStream(
  connection: Connection,
  { rooms, since, signal }: EventOptions,
): AsyncGenerator<TapedeckEvent | ReplayGap, void, undefined> {
  let seq = since
  for (let failures = 0; signal?.aborted !== true; failures++) {
    const socket = new EventSocketReader(addressOf(connection, rooms, seq), await connection.token(), signal)
    let isKnown = false
    try {
      for (let message = await socket.next(); message !== undefined; message = await socket.next()) {
        failures = 0
        isKnown = true
        seq = message.seq
        if (message.type !== 'hello' && message.type !== 'subscribed') yield message
      }
    } finally {
      socket.close()
    }
    const hasExpired = isKnown && socket.refusal?.code === REFUSALS[EXPIRED] // there may be a fresh token
    if (socket.refusal !== undefined && !hasExpired) throw socket.refusal
    await pause(Math.min(LAST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** failures), signal)
  }
}

type Message = TapedeckEvent | ReplayGap | Notice<'hello'> | Notice<'subscribed'>

/** One connection, read message by message. */
class EventSocketReader {
  /** Why the server closed it, where trying again is of no use. */
  refusal: ApiError | undefined
  readonly #socket: WebSocket
  readonly #messages: Message[] = []
  #isOver = false
  #wake: (() => void) | undefined

  constructor(address: string, token: string | undefined, signal: AbortSignal | undefined) {
    this.#socket = new WebSocket(address)
    if (token !== undefined) {
      this.#socket.addEventListener('open', () => this.#socket.send(JSON.stringify({ type: 'auth', token })))
    }
    this.#socket.addEventListener('message', ({ data }) => this.#take(data))
    this.#socket.addEventListener('close', ({ code, reason }) => {
      const refused = REFUSALS[code]
      if (refused !== undefined) this.refusal = new ApiError({ code: refused, message: reason, fault: 'caller' }, code)
      this.#end()
    })
    this.#socket.addEventListener('error', () => this.#end())
    if (signal?.aborted === true) this.close()
    else signal?.addEventListener('abort', () => this.close(), { once: true })
  }

  /** Undefined when there is no more to come. */
  async next(): Promise<Message | undefined> {
    while (this.#messages.length === 0 && !this.#isOver) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    return this.#messages.shift()
  }

  close(): void {
    this.#socket.close()
    this.#end()
  }

  #take(data: unknown): void {
    const message: Message = JSON.parse(String(data))
    this.#messages.push(message)
    this.#wake?.()
  }

  #end(): void {
    this.#isOver = true
    this.#wake?.()
  }
}

function addressOf(connection: Connection, rooms: readonly string[] | undefined, since: number | undefined): string {
  const query = new URLSearchParams()
  for (const room of rooms ?? []) query.append('room', room)
  if (since !== undefined) query.set('since', String(since))
  return `${connection.mount.replace(/^http/, 'ws')}/events${query.size === 0 ? '' : `?${query}`}`
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  if (signal?.aborted === true) return Promise.resolve()
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    signal?.addEventListener(
      'abort',
      () => {
        clearTimeout(timer)
        resolve()
      },
      { once: true },
    )
  })
}
