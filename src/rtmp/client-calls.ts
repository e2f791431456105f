import type { AmfValue } from '../container/flv/amf0.ts'
import { type Command, printable, textMember } from './command.ts'
import { RtmpRejectedError } from './errors.ts'
import type { MessageLink } from './message-link.ts'

/** Somebody who waits for an answer. */
interface Waiter {
  readonly what: string
  resolve(values: readonly AmfValue[]): void
  reject(error: unknown): void
}

/** What a client has asked for and not yet been told: calls by transaction number, and one status of its stream. */
export class ClientCalls {
  readonly #link: MessageLink
  readonly #calls = new Map<number, Waiter>()
  #lastTransactionId = 0
  #status: (Waiter & { readonly code: string }) | undefined
  #failure: { readonly error: unknown } | undefined

  constructor(link: MessageLink) {
    this.#link = link
  }

  /** Calls, and resolves with what the answer holds. @throws RtmpRejectedError for an `_error` */
  call(name: string, ...args: AmfValue[]): Promise<readonly AmfValue[]> {
    const transactionId = ++this.#lastTransactionId
    if (this.#failure !== undefined) return Promise.reject(this.#failure.error)
    const { promise, resolve, reject } = Promise.withResolvers<readonly AmfValue[]>()
    this.#calls.set(transactionId, { what: name, resolve, reject })
    this.#link.sendCommand(0, { name, transactionId, args })
    return promise
  }

  /** Calls without caring for the answer. */
  tell(messageStreamId: number, name: string, ...args: AmfValue[]): void {
    const transactionId = messageStreamId === 0 ? ++this.#lastTransactionId : 0
    this.#link.sendCommand(messageStreamId, { name, transactionId, args })
  }

  /** Resolves with an onStatus of `code`. @throws RtmpRejectedError for one of level error */
  async awaitStatus(what: string, code: string): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure.error
    const { promise, resolve, reject } = Promise.withResolvers<readonly AmfValue[]>()
    this.#status = { what, code, resolve, reject }
    await promise
  }

  /** What was waited for is there in another shape: media. */
  statusReached(): void {
    this.#status?.resolve([])
    this.#status = undefined
  }

  /** True when the command was an answer, or a status that somebody waited for. */
  take(command: Command): boolean {
    if (command.name === 'onStatus') return this.#takeStatus(command.args[1])
    if (command.name !== '_result' && command.name !== '_error') return false
    const waiter = this.#calls.get(command.transactionId)
    this.#calls.delete(command.transactionId)
    if (command.name === '_result') waiter?.resolve(command.args)
    else waiter?.reject(rejection(waiter.what, command.args[1]))
    return true
  }

  /** Nothing more will be answered: neither what is awaited now nor what is asked for later. */
  fail(error: unknown): void {
    this.#failure ??= { error }
    for (const waiter of this.#calls.values()) waiter.reject(error)
    this.#calls.clear()
    this.#status?.reject(error)
    this.#status = undefined
  }

  #takeStatus(info: AmfValue): boolean {
    const waiter = this.#status
    if (waiter === undefined) return false
    if (textMember(info, 'code') === waiter.code) waiter.resolve([])
    else if (textMember(info, 'level') === 'error') waiter.reject(rejection(waiter.what, info))
    else return false
    this.#status = undefined
    return true
  }
}

function rejection(what: string, info: AmfValue): RtmpRejectedError {
  return new RtmpRejectedError(what, printable(textMember(info, 'code')), printable(textMember(info, 'description')))
}
