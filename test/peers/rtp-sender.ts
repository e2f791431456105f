import { type ChildProcess, fork } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import type { RtpStreamPlan } from './rtp-stream.ts'

/** What the process of senders is told. */
export type SenderCommand =
  | {
      readonly type: 'offer'
      readonly id: string
      readonly codec: 'vp8' | 'vp9' | 'av1' | 'h264'
      readonly ssrcs: readonly number[]
      readonly bindAddress?: string
      /** Says what comes back (RTCP). */
      readonly echo?: boolean
    }
  | { readonly type: 'answer'; readonly id: string; readonly sdp: string }
  | { readonly type: 'send'; readonly id: string; readonly plan: RtpStreamPlan }
  /** One packet, now. */
  | { readonly type: 'packet'; readonly id: string; readonly packet: Uint8Array }
  | { readonly type: 'stop'; readonly id: string }
  | { readonly type: 'count'; readonly id: string }
  | { readonly type: 'close'; readonly id: string }

/** What it says of one of its peers. */
type PeerReply =
  | { readonly type: 'offer'; readonly id: string; readonly sdp: string }
  | { readonly type: 'state'; readonly id: string; readonly state: string }
  | { readonly type: 'sent'; readonly id: string; readonly ssrc: number; readonly packets: number }
  | { readonly type: 'received'; readonly id: string; readonly packet: Uint8Array }
  | { readonly type: 'counted'; readonly id: string; readonly packets: number }
/** What it says. */
export type SenderReply = { readonly type: 'ready' } | PeerReply

/**
 * Publishing peers in a process of their own (libdatachannel as the client): they offer, connect, and send given RTP at a given
 * pace, each frame in one burst.
 *
 * ```ts
 * await using sender = await RtpSender.start({ profile: 'cm' })
 * const offer = await sender.offer('alice', { codec: 'vp8', ssrcs: [7] })
 * await sender.answer('alice', sdpAnswerOf(offer)) // connected when it resolves
 * sender.send('alice', emptyPlan(7, 33, 30))
 * const packets = await sender.stop('alice')
 * ```
 */
export class RtpSender {
  readonly #process: ChildProcess
  readonly #replies = new EventEmitter<{ reply: [SenderReply] }>()

  private constructor(child: ChildProcess) {
    this.#process = child
    this.#replies.setMaxListeners(0)
    child.on('message', (reply: SenderReply) => this.#replies.emit('reply', reply))
  }

  /** @param options.profile `cm`: AES_CM_128_HMAC_SHA1_80, as Chromium's */
  static async start(options: { profile?: 'any' | 'cm' } = {}): Promise<RtpSender> {
    const path = new URL('./rtp-sender-process.ts', import.meta.url)
    const child = fork(path, [options.profile ?? 'any'], { serialization: 'advanced' })
    await once(child, 'message')
    return new RtpSender(child)
  }

  get pid(): number {
    return this.#process.pid ?? 0
  }

  /** A session description with all candidates. */
  async offer(id: string, options: Omit<Extract<SenderCommand, { type: 'offer' }>, 'type' | 'id'>): Promise<string> {
    const offered = this.#reply('offer', id)
    this.#tell({ type: 'offer', id, ...options })
    return (await offered).sdp
  }

  /** Resolves when connected. */
  async answer(id: string, sdp: string): Promise<void> {
    const connected = this.#reply('state', id, ({ state }) => state === 'connected')
    this.#tell({ type: 'answer', id, sdp })
    await connected
  }

  send(id: string, plan: RtpStreamPlan): void {
    this.#tell({ type: 'send', id, plan })
  }

  packet(id: string, packet: Uint8Array): void {
    this.#tell({ type: 'packet', id, packet })
  }

  /** Resolves when a plan with `maxFrames` was sent, with how many packets that were. */
  async sent(id: string): Promise<number> {
    return (await this.#reply('sent', id)).packets
  }

  /** Ends what is being sent; how many packets there were of the (last) stream. */
  async stop(id: string): Promise<number> {
    const sent = this.sent(id)
    this.#tell({ type: 'stop', id })
    return sent
  }

  /** The next packet that comes back; only with `echo`. */
  async received(id: string): Promise<Uint8Array> {
    return (await this.#reply('received', id)).packet
  }

  /** How many RTP packets have come so far. */
  async count(id: string): Promise<number> {
    const counted = this.#reply('counted', id)
    this.#tell({ type: 'count', id })
    return (await counted).packets
  }

  async close(id: string): Promise<void> {
    const closed = this.#reply('state', id, ({ state }) => state === 'closed')
    this.#tell({ type: 'close', id })
    await closed
  }

  /** Nothing is said to anybody. */
  async kill(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    const gone = once(this.#process, 'exit')
    this.#process.kill('SIGKILL')
    await gone
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
  }

  #tell(command: SenderCommand): void {
    this.#process.send(command)
  }

  #reply<Type extends PeerReply['type']>(
    type: Type,
    id: string,
    accepts: (reply: Extract<PeerReply, { type: Type }>) => boolean = () => true,
  ): Promise<Extract<PeerReply, { type: Type }>> {
    return new Promise((resolve, reject) => {
      const gone = () => settle(() => reject(new Error('the sender is gone')))
      const heard = (reply: SenderReply) => {
        if (reply.type === 'ready' || reply.id !== id || !isOf(reply, type) || !accepts(reply)) return
        settle(() => resolve(reply))
      }
      const settle = (then: () => void) => {
        this.#process.off('exit', gone)
        this.#replies.off('reply', heard)
        then()
      }
      this.#process.on('exit', gone)
      this.#replies.on('reply', heard)
    })
  }
}

function isOf<Type extends PeerReply['type']>(
  reply: PeerReply,
  type: Type,
): reply is Extract<PeerReply, { type: Type }> {
  return reply.type === type
}
