import type { WebSocket } from '@fastify/websocket'
import type { StoredEvent } from '../state/event-store.ts'
import type { Caller } from './caller.ts'
import { isInRoom } from './caller.ts'
import { mayHear } from './event-audience.ts'
import { CLOSE, type ClientMessage, type EventQuery, eventText, MAX_ROOMS, noticeText } from './event-message.ts'

/** What may wait for a slow reader, bytes. */
const MAX_BUFFERED_BYTES = 1024 * 1024
/** While more waits, nothing older is read from the store, bytes. */
const REPLAY_BUFFER_BYTES = 256 * 1024
/** Events read from the store at a time. */
const REPLAY_PAGE = 500

/** The part of the event log that a connection reads. */
export interface EventHistory {
  since(seq: number, limit: number): Promise<StoredEvent[]>
  bounds(): Promise<{ readonly oldest: number; readonly newest: number }>
}

/**
 * What is told over one socket: unproven → replaying → live. Every event that the caller may hear of, in rising order,
 * each once, from where it asked.
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
    if (isFirst) await this.#begin()
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
    this.#seq = event.seq
    if (this.#hears(event)) this.#send(text())
  }

  close(code: number, reason: string): void {
    this.#isLive = false
    this.#socket.close(code, reason)
  }

  async #begin(): Promise<void> {
    try {
      const { oldest, newest } = await this.#history.bounds()
      const since = this.#since
      const isGap = since !== undefined && (since > newest || since + 1 < oldest)
      this.#seq = since === undefined ? newest : isGap ? oldest - 1 : since
      this.#send(noticeText('hello', this.#seq, { version: this.#version, oldest, newest }))
      if (isGap) this.#send(noticeText('replay_gap', this.#seq, { oldest }))
      await this.#replay()
    } catch {
      this.close(CLOSE.tryAgainLater, 'the state cannot be had now, try again soon')
    }
  }

  /** Reads on until nothing is left in the store that was not told; then whatever happens is told at once. */
  async #replay(): Promise<void> {
    while (this.#isOpen) {
      this.#wasTold = false
      const page = await this.#history.since(this.#seq, REPLAY_PAGE)
      if (page.length === 0 && !this.#wasTold) {
        this.#isLive = this.#isOpen
        return
      }
      for (const event of page) {
        this.#seq = event.seq
        if (!this.#hears(event)) continue
        const sent = this.#send(eventText(event))
        if (this.#socket.bufferedAmount > REPLAY_BUFFER_BYTES) await sent
        if (!this.#isOpen) return
      }
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

  /** Resolves when it has left for the network, or never will. */
  #send(text: string): Promise<void> {
    if (!this.#isOpen) return Promise.resolve()
    if (this.#socket.bufferedAmount > MAX_BUFFERED_BYTES) {
      this.close(CLOSE.tooSlow, 'too slow; resume with since')
      return Promise.resolve()
    }
    return new Promise((resolve) => this.#socket.send(text, () => resolve()))
  }
}
