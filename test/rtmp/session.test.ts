import { beforeEach, describe, expect, it } from 'vitest'
import { type AmfValue, writeAmf0Values } from '../../src/container/flv/amf0.ts'
import { MalformedError, type TapedeckError } from '../../src/media/errors.ts'
import { chunkMessage } from '../../src/rtmp/chunk-writer.ts'
import { type Command, parseCommand, textMember } from '../../src/rtmp/command.ts'
import { ServerSession } from '../../src/rtmp/server-session.ts'
import type { SessionHost } from '../../src/rtmp/session-host.ts'
import { Collector, pattern } from './collector.ts'
import { LogLines, Relay } from './relay.ts'

/** A session without a socket: what it sends is read back. */
class Bench implements SessionHost {
  readonly relay = new Relay()
  readonly logger = new LogLines()
  readonly peer = { id: 1, address: '127.0.0.1:1', secure: false, agent: '', disconnect: () => this.disconnect() }
  readonly unsentBytes = 0
  readonly session: ServerSession
  readonly refusals: string[] = []
  disconnected = false
  #sent = new Collector()
  #work: Promise<void> = Promise.resolve()

  constructor() {
    const options = { chunkSize: 65_536, maxMessageBytes: 1 << 24, maxPendingBytes: 1 << 25 }
    this.session = new ServerSession(this, this.relay, options)
  }

  write(bytes: Uint8Array): void {
    this.#sent.read(Buffer.from(bytes))
  }
  gather(bytes: Uint8Array): void {
    this.write(bytes)
  }
  disconnect(): void {
    this.disconnected = true
  }
  refused(action: string, error: TapedeckError): void {
    this.refusals.push(`${action} ${error.code}`)
  }
  suspend(work: Promise<void>): void {
    this.session.link.stop()
    this.#work = work.then(() => this.session.link.resume())
  }

  /** Sends a message and returns what was sent back. */
  async message(type: number, messageStreamId: number, payload: Uint8Array): Promise<Collector['messages']> {
    const from = this.#sent.messages.length
    const bytes = chunkMessage(128, { chunkStreamId: 3, type, messageStreamId }, payload)
    this.session.link.receive(bytes, 0, bytes.length)
    await this.#work
    return this.#sent.messages.slice(from)
  }

  async command(messageStreamId: number, ...values: AmfValue[]): Promise<Command[]> {
    const answers = await this.message(20, messageStreamId, writeAmf0Values(values))
    return answers.filter((m) => m.type === 20).map((m) => parseCommand(m.payload))
  }
}

let bench: Bench
const connect = (object: { [key: string]: AmfValue } = {}) => bench.command(0, 'connect', 1, { app: 'live', ...object })
const codes = (commands: Command[]) => commands.map((c) => `${c.name} ${textMember(c.args[1], 'code')}`.trim())

beforeEach(() => {
  bench = new Bench()
})

describe('a session', () => {
  it('answers connect: window, bandwidth, chunk size, result', async () => {
    const answers = await bench.message(20, 0, writeAmf0Values(['connect', 1, { app: 'live', objectEncoding: 3 }]))
    expect(answers.map((m) => m.type)).toEqual([5, 6, 20]) // the reader itself takes the chunk size
    const result = parseCommand(answers[2].payload)
    expect(result).toMatchObject({ name: '_result', transactionId: 1 })
    expect(result.args[1]).toMatchObject({ code: 'NetConnection.Connect.Success', objectEncoding: 3 })
    expect(result.args[1]).not.toHaveProperty('capsEx')
  })

  it('answers enhanced RTMP to who speaks it', async () => {
    const [result] = await connect({ fourCcList: ['hvc1'], capsEx: 2 })
    expect(result.args[1]).toMatchObject({ capsEx: 0x0e, videoFourCcInfoMap: { hvc1: 4, av01: 4 } })
    expect(bench.session.streams.multitrack).toBe(true)
  })

  it('begins message streams with 1, and has a bound of them', async () => {
    await connect()
    const [first] = await bench.command(0, 'createStream', 2, null)
    expect(first).toEqual({ name: '_result', transactionId: 2, args: [null, 1] })
    for (let i = 0; i < 15; i++) await bench.command(0, 'createStream', 3 + i, null)
    const [refused] = await bench.command(0, 'createStream', 99, null)
    expect(refused).toMatchObject({ name: '_error', transactionId: 99 })
    await bench.command(0, 'deleteStream', 0, null, 1)
    expect((await bench.command(0, 'createStream', 100, null))[0].args[1]).toBe(17)
  })

  it('takes several publishers on one connection, each on its stream', async () => {
    await connect()
    await bench.command(0, 'createStream', 2, null)
    await bench.command(0, 'createStream', 3, null)
    expect(codes(await bench.command(1, 'publish', 0, null, 'a', 'live'))).toEqual([
      'onFCPublish NetStream.Publish.Start',
      'onStatus NetStream.Publish.Start',
    ])
    await bench.command(2, 'publish', 0, null, 'b', 'live')
    await bench.message(9, 1, pattern(10))
    await bench.message(8, 2, pattern(20))
    await bench.message(8, 7, pattern(30))
    const [a, b] = await Promise.all([bench.relay.stream('live/a'), bench.relay.stream('live/b')])
    expect([a.bytes, b.bytes]).toEqual([10, 20])
    await bench.command(1, 'closeStream', 0, null)
    expect([a.ended, b.ended]).toEqual(['finished', undefined])
    expect(codes(await bench.command(0, 'FCUnpublish', 9, null, 'b'))).toContain('onStatus NetStream.Unpublish.Success')
    expect(b.ended).toBe('finished')
    expect(codes(await bench.command(1, 'publish', 0, null, 'again', 'live'))).toContain(
      'onStatus NetStream.Publish.Start',
    )
    bench.session.end('lost')
    expect((await bench.relay.stream('live/again')).ended).toBe('lost')
  })

  it('unwraps data, in AMF3 messages too, and passes over what is no AMF', async () => {
    await connect()
    await bench.command(0, 'createStream', 2, null)
    await bench.command(1, 'publish', 0, null, 'a', 'live')
    const values = writeAmf0Values(['@setDataFrame', 'onMetaData', { width: 1 }])
    await bench.message(18, 1, values)
    await bench.message(15, 1, Buffer.concat([Buffer.from([0]), values]))
    await bench.message(18, 1, Buffer.from([2, 255, 255]))
    const stream = await bench.relay.stream('live/a')
    expect(stream.data_).toEqual([
      ['onMetaData', { width: 1 }],
      ['onMetaData', { width: 1 }],
    ])
    expect(bench.session.link.malformedData).toBe(1)
  })

  it('begins play with its statuses, then media; pauses; refuses seeking', async () => {
    await connect()
    await bench.command(0, 'createStream', 2, null)
    await bench.command(0, 'createStream', 3, null)
    await bench.command(1, 'publish', 0, null, 'a', 'live')
    await bench.message(9, 1, pattern(10))
    const answers = await bench.message(20, 2, writeAmf0Values(['play', 0, null, 'a', -2000]))
    expect(answers.map((m) => m.type)).toEqual([4, 20, 20, 9])
    expect(codes(answers.slice(1, 3).map((m) => parseCommand(m.payload)))).toEqual([
      'onStatus NetStream.Play.Reset',
      'onStatus NetStream.Play.Start',
    ])
    expect(codes(await bench.command(2, 'pause', 0, null, true, 0))).toEqual(['onStatus NetStream.Pause.Notify'])
    expect(codes(await bench.command(2, 'pause', 0, null, false, 0))).toEqual(['onStatus NetStream.Unpause.Notify'])
    expect(codes(await bench.command(2, 'seek', 0, null, 1000))).toEqual(['onStatus NetStream.Seek.Failed'])
    const stream = await bench.relay.stream('live/a')
    const before = await bench.message(20, 1, writeAmf0Values(['closeStream', 0, null]))
    expect(before.map((m) => m.type)).toEqual([4, 20, 20]) // end of stream, once
    expect(stream.ended).toBe('finished')
    await bench.command(0, 'deleteStream', 0, null, 2)
    expect(stream.players.size).toBe(0)
  })

  it('answers what it is asked for, and only that', async () => {
    await connect()
    expect(await bench.command(0, 'releaseStream', 0, null, 'x')).toEqual([])
    expect((await bench.command(0, 'FCPublish', 3, null, 'x')).map((c) => c.name)).toEqual(['_result'])
    expect((await bench.command(0, 'getStreamLength', 4, null, 'x'))[0].args).toEqual([null, 0])
    expect((await bench.command(0, '_checkbw', 5, null)).map((c) => c.name)).toEqual(['_result'])
    expect((await bench.command(0, 'FCSubscribe', 6, null, 'x')).map((c) => c.name)).toEqual(['onFCSubscribe'])
    expect((await bench.command(0, 'whatever', 7, null)).map((c) => [c.name, c.transactionId])).toEqual([['_error', 7]])
    expect(await bench.command(0, 'whatever', 0, null)).toEqual([])
    expect(await bench.command(0, '_result', 7, null)).toEqual([])
  })

  it('lets encoders publish that never create a stream', async () => {
    await connect()
    await bench.command(0, 'publish', 0, null, 'a', 'live')
    await bench.message(8, 0, pattern(10))
    expect((await bench.relay.stream('live/a')).bytes).toBe(10)
  })

  it('answers pings and acknowledges what it gets', async () => {
    const pong = await bench.message(4, 0, Buffer.from([0, 6, 1, 2, 3, 4]))
    expect(pong.map((m) => [m.type, m.payload.toString('hex')])).toEqual([[4, '000701020304']])
    await connect()
    await bench.message(5, 0, Buffer.from([0, 0, 0x10, 0]))
    const acknowledged = await bench.message(9, 5, pattern(5000))
    expect(acknowledged.map((m) => m.type)).toEqual([3])
    expect(acknowledged[0].payload.readUInt32BE(0)).toBe(bench.session.link.receivedBytes)
  })

  it('demands connect first, and once', async () => {
    await expect(bench.command(0, 'createStream', 2, null)).rejects.toThrow(MalformedError)
    await connect()
    await expect(connect()).rejects.toThrow(MalformedError)
  })

  it('refuses with the fitting code', async () => {
    await connect()
    const errorWith = (code: string, fault: 'peer' | 'host') =>
      Object.assign(new MalformedError('x', 'y'), { code, fault })
    const tries = [
      ['TD_NAME_BUSY', 'peer', 'NetStream.Publish.BadName'],
      ['TD_UNAUTHORIZED', 'peer', 'NetStream.Publish.Rejected'],
      ['TD_STORAGE', 'host', 'NetStream.Publish.Denied'],
    ] as const
    for (const [code, fault, status] of tries) {
      bench.relay.refusal = errorWith(code, fault)
      bench.disconnected = false
      expect(codes(await bench.command(1, 'publish', 0, null, 'a', 'live'))).toEqual([`onStatus ${status}`])
      expect(bench.disconnected).toBe(true)
    }
    bench.relay.refusal = undefined
    expect(codes(await bench.command(1, 'play', 0, null, 'none'))).toEqual(['onStatus NetStream.Play.StreamNotFound'])
    expect(codes(await bench.command(1, 'play2', 0, null, {}))).toEqual(['onStatus NetStream.Play.Failed'])
  })
})
