import type { RtmpPlayOutput } from './handlers.ts'
import type { MessageLink } from './message-link.ts'
import { information } from './status.ts'
import { USER_CONTROL } from './wire.ts'

/** The sending half of a connection, as far as players need it. */
export interface Outlet {
  readonly unsentBytes: number
  /** Sends at once: media. */
  write(bytes: Uint8Array): void
  /** Sends what is small together with the rest of this turn of the event loop. */
  gather(bytes: Uint8Array): void
  disconnect(): void
}

/** Sends to one player. Whatever is sent first, the peer has been told before that play has begun. */
export class PlayerOutput implements RtmpPlayOutput {
  readonly messageStreamId: number
  readonly #link: MessageLink
  readonly #outlet: Outlet
  readonly #name: string
  #state: 'waiting' | 'started' | 'closed' = 'waiting'
  #saidEof = false

  constructor(messageStreamId: number, name: string, link: MessageLink, outlet: Outlet) {
    this.messageStreamId = messageStreamId
    this.#name = name
    this.#link = link
    this.#outlet = outlet
  }

  get chunkSize(): number {
    return this.#link.chunkSize
  }
  get bufferedBytes(): number {
    return this.#outlet.unsentBytes
  }

  /** Tells the peer that play begins (§7.2.2.1). Idempotent. */
  start(): void {
    if (this.#state !== 'waiting') return
    this.#state = 'started'
    this.#link.sendUserControl(USER_CONTROL.STREAM_BEGIN, this.messageStreamId)
    this.status('NetStream.Play.Reset', `Playing and resetting ${this.#name}.`)
    this.status('NetStream.Play.Start', `Started playing ${this.#name}.`)
  }

  send(chunks: Uint8Array): void {
    if (this.#state === 'waiting') this.start()
    if (this.#state === 'started') this.#outlet.write(chunks)
  }

  status(code: string, description: string, level: 'status' | 'error' = 'status'): void {
    if (this.#state === 'closed') return
    if (code === 'NetStream.Play.Stop' || code === 'NetStream.Play.UnpublishNotify') this.#eof()
    const info = { ...information(level, code, description), details: this.#name, clientid: 1 }
    this.#link.sendCommand(this.messageStreamId, { name: 'onStatus', transactionId: 0, args: [null, info] })
  }

  disconnect(): void {
    this.#outlet.disconnect()
  }

  /** Nothing goes out any more. */
  close(): void {
    this.#state = 'closed'
  }

  #eof(): void {
    if (this.#saidEof) return
    this.#saidEof = true
    this.#link.sendUserControl(USER_CONTROL.STREAM_EOF, this.messageStreamId)
  }
}
