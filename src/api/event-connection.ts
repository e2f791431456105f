import type { WebSocket } from '@fastify/websocket'
import type { StoredEvent } from '../state/event-store.ts'
import type { Caller } from './caller.ts'
import { isInRoom } from './caller.ts'
import { mayHear } from './event-audience.ts'
import { CLOSE, type ClientMessage, type EventQuery, eventText, MAX_ROOMS, noticeText } from './event-message.ts'

/** While more than this waits for a slow reader, nothing is added: it gets the rest from the store later, bytes. */
const MAX_WAITING_BYTES = 512 * 1024
/** Who takes nothing for so long is too slow, ms. */
const STALL_MS = 5000
/** Events read from the store at a time. */
const REPLAY_PAGE = 500

/** The part of the event log that a connection reads. */
export interface EventHistory {
  since(seq: number, limit: number): Promise<StoredEvent[]>
  bounds(): Promise<{ readonly oldest: number; readonly newest: number }>
}

/**
 * What is told over one socket: unproven → replaying ⇄ live. Every event that the caller may hear of, in rising order,
 * each once, from where it asked. A reader that falls behind is replaying again, at its own pace.
 */
export class EventConnection {
  readonly #socket: WebSocket
  readonly #history: EventHistory
  readonly #version: string
  readonly #since: number | undefined
  /** Undefined for all rooms, and for what is of no room. */
  #rooms: Set<string> | undefined
  #caller: Caller | undefined
  #expiresAtMs = Number.POSITIVE_INFINITY
  #isLive = false
  #wasTold = false
  /** Resolves when the last message has left for the network. */
  #sent: Promise<void> = Promise.resolve()
  #waitsSinceMs: number | undefined
  /** Everything up to here was told, or is not for this caller. */
  #seq = 0

  constructor(socket: WebSocket, history: EventHistory, query: EventQuery, version: string) {
    this.#socket = socket
    this.#history = history
    this.#version = version
    this.#since = query.since
    this.#rooms = query.room === undefined ? undefined : new Set(query.room)
  }

  get isProven(): boolean {
    return this.#caller !== undefined
  }

  /** When its token ends, ms since 1970. */
  get expiresAtMs(): number {
    return this.#expiresAtMs
  }

  /** Says who is at the other end; again when it shows a fresh token. Begins to tell at the first time. */
  async prove(caller: Caller, expiresAtMs: number): Promise<void> {
    const isFirst = this.#caller === undefined
    this.#caller = caller
    this.#expiresAtMs = expiresAtMs
    for (const room of this.#rooms ?? []) if (!this.#admits(room)) return
    if (isFirst) await this.#attempt(() => this.#begin())
  }

  /** A message other than `auth`. */
  take(message: Exclude<ClientMessage, { type: 'auth' }>): void {
    if (message.type === 'unsubscribe') this.#rooms?.delete(message.room)
    else if (!this.#admits(message.room)) return
    else this.#rooms = new Set(this.#rooms).add(message.room)
    if (this.#rooms !== undefined && this.#rooms.size > MAX_ROOMS) {
      this.close(CLOSE.policy, `at most ${MAX_ROOMS} rooms on one socket`)
      return
    }
    this.#send(noticeText('subscribed', this.#seq, { rooms: this.#rooms === undefined ? '*' : [...this.#rooms] }))
  }

  /** Something happened. `text` makes its message, once for all connections. */
  tell(event: StoredEvent, text: () => string): void {
    if (!this.#isLive) {
      this.#wasTold = true
      return
    }
    if (event.seq <= this.#seq) return
    if (this.#socket.bufferedAmount > MAX_WAITING_BYTES) {
      this.#isLive = false
      void this.#attempt(() => this.#replay())
      return
    }
    this.#seq = event.seq
    if (this.#hears(event)) this.#send(text())
  }

  /** Whether the other end takes nothing, though there is something for it. */
  isStalled(nowMs: number): boolean {
    return this.#waitsSinceMs !== undefined && nowMs - this.#waitsSinceMs > STALL_MS
  }

  close(code: number, reason: string): void {
    this.#isLive = false
    this.#socket.close(code, reason)
  }

  async #begin(): Promise<void> {
    const { oldest, newest } = await this.#history.bounds()
    const since = this.#since
    const isGap = since !== undefined && (since > newest || since + 1 < oldest)
    this.#seq = since === undefined ? newest : isGap ? oldest - 1 : since
    this.#send(noticeText('hello', this.#seq, { version: this.#version, oldest, newest }))
    if (isGap) this.#send(noticeText('replay_gap', this.#seq, { oldest }))
    await this.#replay()
  }

  /** Reads on until nothing is left in the store that was not told; then whatever happens is told at once. */
  async #replay(): Promise<void> {
    while (this.#isOpen) {
      await this.#drained()
      this.#wasTold = false
      const page = await this.#history.since(this.#seq, REPLAY_PAGE)
      if (page.length === 0 && !this.#wasTold) {
        this.#isLive = this.#isOpen
        return
      }
      for (const event of page) {
        await this.#drained()
        if (!this.#isOpen) return
        this.#seq = event.seq
        if (this.#hears(event)) this.#send(eventText(event))
      }
    }
  }

  async #drained(): Promise<void> {
    while (this.#isOpen && this.#socket.bufferedAmount > MAX_WAITING_BYTES) {
      this.#waitsSinceMs ??= Date.now()
      await this.#sent
    }
    this.#waitsSinceMs = undefined
  }

  async #attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch {
      this.close(CLOSE.tryAgainLater, 'the state cannot be had now, try again soon')
    }
  }

  get #isOpen(): boolean {
    return this.#socket.readyState === this.#socket.OPEN
  }

  #hears(event: StoredEvent): boolean {
    if (this.#caller === undefined) return false
    if (this.#rooms !== undefined && (event.room_id === null || !this.#rooms.has(event.room_id))) return false
    return mayHear(this.#caller, event)
  }

  #admits(room: string): boolean {
    if (this.#caller !== undefined && isInRoom(this.#caller, room)) return true
    this.close(CLOSE.forbidden, 'a room that this token is not for')
    return false
  }

  #send(text: string): void {
    if (this.#isOpen) this.#sent = new Promise((resolve) => this.#socket.send(text, () => resolve()))
  }
}
