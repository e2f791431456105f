import { type AmfValue, writeAmf0Values } from '../src/container/flv/amf0.ts'
import { RtmpDemuxer } from '../src/ingest/rtmp/demuxer.ts'
import { TapedeckError } from '../src/media/errors.ts'
import { chunkMessage } from '../src/rtmp/chunk-writer.ts'
import { ClientCalls } from '../src/rtmp/client-calls.ts'
import type { Command } from '../src/rtmp/command.ts'
import { type MessageHandler, MessageLink } from '../src/rtmp/message-link.ts'
import type { FuzzTarget } from './target.ts'

const AVC_HEADER =
  '17000000000164000cffe1001a6764000cacd941419f9f011000000300100000030320f142996001000668ebe3cb22c0fdf8f800'

/** What a client does with what a hostile server says, without its socket: two calls and a status are awaited. */
class Listening implements MessageHandler {
  readonly link: MessageLink = new MessageLink(this, () => undefined, 1 << 20)
  readonly #calls = new ClientCalls(this.link)
  readonly #demuxer = new RtmpDemuxer({ track() {}, write() {} }, { maxTracks: 16, onRefused() {} })
  readonly work: Promise<PromiseSettledResult<unknown>[]>

  constructor() {
    this.link.allowPending(1 << 20)
    const created = this.#calls.call('connect', { app: 'live' }).then(() => this.#calls.call('createStream', null))
    this.work = Promise.allSettled([created, this.#calls.awaitStatus('play', 'NetStream.Play.Start')])
  }

  wants(): boolean {
    return true
  }
  media(type: 8 | 9, timestampMs: number, _messageStreamId: number, payload: Uint8Array): void {
    this.#calls.statusReached()
    try {
      this.#demuxer.media(type, timestampMs, payload, undefined)
    } catch (error) {
      if (!(error instanceof TapedeckError)) throw error
    }
  }
  data(): void {}
  userControl(): void {}
  command(_messageStreamId: number, command: Command): void {
    this.#calls.take(command)
  }
  /** The connection is over. */
  fail(): void {
    this.#calls.fail(new Error('over'))
    this.link.close()
  }
}

function command(messageStreamId: number, ...values: AmfValue[]): Buffer {
  return chunkMessage(128, { chunkStreamId: 3, type: 20, messageStreamId }, writeAmf0Values(values))
}

/** All that a server may send to our client after the handshake. */
export const target: FuzzTarget = {
  name: 'rtmp-client',
  seeds() {
    const media = (type: number, payload: Uint8Array) =>
      chunkMessage(128, { chunkStreamId: 6, type, messageStreamId: 1 }, payload)
    const info = (level: string, code: string) => ({ level, code, description: 'because' })
    const opening = [
      command(0, '_result', 1, { fmsVer: 'FMS/3', capabilities: 31 }, info('status', 'NetConnection.Connect.Success')),
      command(0, '_result', 2, null, 1),
    ]
    return [
      Buffer.concat([
        ...[...opening, command(1, 'onStatus', 0, null, info('status', 'NetStream.Play.Start'))],
        ...[media(18, writeAmf0Values(['onMetaData', { width: 320 }])), media(9, Buffer.from(AVC_HEADER, 'hex'))],
        ...[media(9, Buffer.from('170100005000000003658884', 'hex')), media(8, Buffer.from('af001190', 'hex'))],
        command(1, 'onStatus', 0, null, info('status', 'NetStream.Play.UnpublishNotify')),
      ]),
      Buffer.concat([command(0, '_error', 1, null, info('error', 'NetConnection.Connect.Rejected'))]),
      Buffer.concat([...opening, command(1, 'onStatus', 0, null, info('error', 'NetStream.Play.StreamNotFound'))]),
      Buffer.from(
        '0200000000000405000000000026259f02000000000005060000000000262560020200000000000604000000000000000000',
        'hex',
      ),
    ]
  },
  async run(input) {
    const bytes = Buffer.from(input.buffer, input.byteOffset, input.length)
    const client = new Listening()
    try {
      client.link.receive(bytes, 0, bytes.length)
    } finally {
      client.fail()
    }
    await client.work
  },
}
