import { type AmfValue, writeAmf0Values } from '../src/container/flv/amf0.ts'
import { LimitError } from '../src/media/errors.ts'
import { chunkMessage } from '../src/rtmp/chunk-writer.ts'
import type { RtmpHandlers, StreamRequest } from '../src/rtmp/handlers.ts'
import { ServerSession } from '../src/rtmp/server-session.ts'
import type { SessionHost } from '../src/rtmp/session-host.ts'
import type { FuzzTarget } from './target.ts'

const SILENT = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

/** Lets everybody in whose name does not begin with "no", and counts that everybody leaves. */
class OpenHouse implements RtmpHandlers {
  open = 0

  async publish({ name }: StreamRequest) {
    refuseNo(name)
    this.open++
    const end = () => this.open--
    const nothing = () => undefined
    return { media: nothing, data: nothing, flush: nothing, end, held: false, live: false }
  }

  async play({ name }: StreamRequest) {
    refuseNo(name)
    this.open++
    let left = false
    const end = () => {
      if (!left) this.open--
      left = true
    }
    return { pause: () => undefined, end }
  }
}

function refuseNo(name: string): void {
  if (name.startsWith('no')) throw new LimitError('streams', { limit: 1 })
}

function command(messageStreamId: number, ...values: AmfValue[]): Buffer {
  return chunkMessage(128, { chunkStreamId: 3, type: 20, messageStreamId }, writeAmf0Values(values))
}

/** Everything after the handshake: chunks, commands, control, data, aggregates. */
export const target: FuzzTarget = {
  name: 'rtmp-session',
  seeds() {
    const connect = command(0, 'connect', 1, { app: 'live', tcUrl: 'rtmp://h/live', fourCcList: ['av01'], capsEx: 15 })
    const media = (type: number, payload: Buffer) =>
      chunkMessage(128, { chunkStreamId: 6, type, messageStreamId: 1 }, payload)
    const aggregate = Buffer.from('08000001000000000000000aa0000000c', 'hex')
    return [
      Buffer.concat([connect, command(0, 'createStream', 2, null), command(1, 'publish', 0, null, 'a', 'live')]),
      Buffer.concat([
        ...[connect, command(0, 'createStream', 2, null), command(1, 'publish', 0, null, 'a?token=b', 'live')],
        ...[media(9, Buffer.alloc(200)), media(18, Buffer.from(writeAmf0Values(['@setDataFrame', 'onMetaData', {}])))],
        ...[media(22, aggregate), command(0, 'FCUnpublish', 3, null, 'a'), command(0, 'deleteStream', 4, null, 1)],
      ]),
      Buffer.concat([
        ...[connect, command(0, 'createStream', 2, null), command(1, 'play', 0, null, 'a', -2000)],
        ...[command(1, 'pause', 0, null, true, 1), command(1, 'seek', 0, null, 1), command(1, 'play2', 0, null, {})],
        ...[command(0, 'getStreamLength', 3, null, 'a'), command(0, '_checkbw', 4), command(0, 'FCSubscribe', 5)],
      ]),
      Buffer.concat([
        ...[connect, command(0, 'releaseStream', 2, null, 'a'), command(0, 'FCPublish', 3, null, 'a')],
        ...[
          command(0, 'createStream', 4, null),
          command(1, 'publish', 0, null, 'a'),
          command(1, 'publish', 0, null, 'b'),
        ],
        ...[command(1, 'play', 0, null, 'a'), command(2, 'publish', 0, null, 'no'), command(1, 'closeStream', 0, null)],
        ...[
          command(1, 'receiveAudio', 0, null, false),
          command(0, '_result', 9, null),
          command(0, 'unheard-of', 7, null),
        ],
        ...[command(1, 'play', 0, null, 'a'), command(1, 'play', 0, null, 'no')],
      ]),
      Buffer.concat([connect, ...Array.from({ length: 18 }, (_, i) => command(0, 'createStream', 2 + i, null))]),
      Buffer.from('0200000000000006040000000000060102030402000000000000040500000000000010000', 'hex'),
    ]
  },
  async run(input) {
    const bytes = Buffer.from(input.buffer, input.byteOffset, input.length)
    const house = new OpenHouse()
    let work: Promise<void> | undefined
    const host: SessionHost = {
      peer: { id: 1, address: '', secure: false, agent: '', disconnect: () => undefined },
      logger: SILENT,
      unsentBytes: 0,
      write: () => undefined,
      gather: () => undefined,
      disconnect: () => undefined,
      refused: () => undefined,
      suspend(asked) {
        work = asked
        session.link.stop()
      },
    }
    const session = new ServerSession(host, house, {
      chunkSize: 4096,
      maxMessageBytes: 1 << 20,
      maxPendingBytes: 1 << 20,
    })
    try {
      for (let at = 0; at < bytes.length; ) {
        at = session.link.receive(bytes, at, bytes.length)
        session.streams.flush()
        if (session.streams.held || session.streams.live) throw new Error('held or live without anybody')
        await work
        work = undefined
        session.link.resume()
      }
    } catch (error) {
      session.streams.refuseAll(error)
      throw error
    } finally {
      await work?.catch(() => undefined)
      session.end('lost')
    }
    if (house.open !== 0) throw new Error(`${house.open} streams never ended`)
  },
}
