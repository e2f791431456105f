import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { UnsupportedError } from '../../src/media/errors.ts'
import { RtmpClient } from '../../src/rtmp/client.ts'
import { RtmpListener, type RtmpListenerOptions } from '../../src/rtmp/listener.ts'
import { pattern } from './collector.ts'
import { LogLines, Relay, RelayedStream, until } from './relay.ts'

let relay: Relay
let log: LogLines
let listener: RtmpListener
let port: number
const clients: RtmpClient[] = []

async function listen(options: Partial<RtmpListenerOptions> = {}): Promise<void> {
  relay = new Relay()
  log = new LogLines()
  listener = new RtmpListener({ host: '127.0.0.1', port: 0, ...options }, relay, log)
  port = (await listener.listen()).port
}

async function client(path: string): Promise<RtmpClient> {
  const made = await RtmpClient.connect(`rtmp://127.0.0.1:${port}/${path}`, { timeoutMs: 5000 })
  clients.push(made)
  return made
}

function sinkOf(name = 'sink'): RelayedStream {
  const params = new URLSearchParams()
  const peer = { id: 0, address: '', secure: false, agent: '', disconnect: () => undefined }
  return new RelayedStream({ peer, app: '', name, query: params })
}

async function raw(): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  return socket
}

beforeEach(() => listen())
afterEach(async () => {
  for (const each of clients.splice(0)) await each.close()
  await listener.close(2000)
  expect(log.of('error')).toEqual([])
})

describe('publish and play', () => {
  it('carries media and data from a publisher to a player, whole and in order', async () => {
    const publisher = await client('live/inst/test?token=abc')
    await publisher.publish()
    const stream = await relay.stream('live/inst/test')
    expect(stream.request.query.get('token')).toBe('abc')
    publisher.sendData(0, ['@setDataFrame', 'onMetaData', { width: 1280 }])
    const sink = sinkOf()
    const player = await client('live/inst/test')
    await player.play(sink)
    for (let i = 0; i < 50; i++) {
      publisher.send(i % 2 ? 8 : 9, 0xfffffff0 + i * 20, pattern(i * 3001, i))
      await publisher.drained()
    }
    await publisher.close()
    await until(sink, 'end', () => sink.ended !== undefined)
    expect(sink.ended).toBe('finished')
    await player.close()
    expect(await player.closed).toBeUndefined()
    expect(sink.data_).toEqual([['onMetaData', { width: 1280 }]])
    expect(sink.media_.length).toBe(50)
    for (const [i, m] of sink.media_.entries()) {
      expect([m.type, m.timestampMs]).toEqual([i % 2 ? 8 : 9, (0xfffffff0 + i * 20) >>> 0])
      expect(m.payload.equals(pattern(i * 3001, i))).toBe(true)
    }
    expect(stream.ended).toBe('finished')
    expect(stream.flushes).toBeGreaterThan(0)
  })

  it('refuses a busy name, and the first goes on', async () => {
    const first = await client('live/test')
    await first.publish()
    const second = await client('live/test')
    await expect(second.publish()).rejects.toThrow(/NetStream.Publish.BadName.*is taken/)
    const stream = await relay.stream('live/test')
    first.send(8, 0, pattern(10))
    await until(stream, 'media', () => stream.media_.length === 1)
    expect(stream.ended).toBeUndefined()
  })

  it('says that nobody publishes, and tells peers nothing of our own failures', async () => {
    await expect((await client('live/none')).play(sinkOf())).rejects.toMatchObject({ code: 'TD_STREAM_NOT_FOUND' })
    relay.refusal = new UnsupportedError('not today')
    await expect((await client('live/x')).publish()).rejects.toThrow(/NetStream.Publish.Denied, not today/)
    relay.refusal = new Error('secret path')
    await expect((await client('live/x')).publish()).rejects.toThrow(/internal error/)
    expect(log.of('error')).toEqual(['publish failed'])
    log.lines.length = 0
  })

  it('ends a lost publisher as lost, and one that is disconnected as kicked', async () => {
    const publisher = await client('live/a')
    await publisher.publish()
    const stream = await relay.stream('live/a')
    stream.request.peer.disconnect()
    expect(stream.ended).toBe('kicked')
    expect(await publisher.closed).toBeInstanceOf(Error)

    const aborter = new AbortController()
    const lost = await RtmpClient.connect(`rtmp://127.0.0.1:${port}/live/b`, { signal: aborter.signal })
    await lost.publish()
    const second = await relay.stream('live/b')
    lost.send(8, 0, pattern(10))
    await until(second, 'media', () => second.media_.length === 1)
    aborter.abort()
    await until(second, 'end', () => second.ended !== undefined)
    expect(second.ended).toBe('lost')
  })

  it('closes a connection whose sink throws, once, with a word', async () => {
    const publisher = await client('live/a')
    await publisher.publish()
    const stream = await relay.stream('live/a')
    stream.failure = new UnsupportedError('enough')
    publisher.send(8, 0, pattern(10))
    await publisher.closed
    expect(stream.ended).toBe('kicked')
    expect(log.of('warn')).toEqual(['RTMP publisher dropped'])
  })

  it('takes what a publisher sends before it has its answer', async () => {
    const gate = Promise.withResolvers<void>()
    relay.gate = gate.promise
    const publisher = await client('live/early')
    const published = publisher.publish()
    // a second connection's whole life passes meanwhile
    await client('live/other')
    gate.resolve()
    await published
    publisher.send(9, 1, pattern(200_000))
    const stream = await relay.stream('live/early')
    await until(stream, 'media', () => stream.media_.length === 1)
    expect(stream.media_[0].payload.equals(pattern(200_000))).toBe(true)
  })

  it('reads nothing while the sink holds, and all of it afterwards', async () => {
    const publisher = await client('live/held')
    await publisher.publish()
    const stream = await relay.stream('live/held')
    stream.held = true
    const total = 400
    const sending = (async () => {
      for (let i = 0; i < total; i++) if (!publisher.send(9, i, pattern(100_000))) await publisher.drained()
    })()
    await new Promise<void>((resolve) => {
      let before = -1
      const timer = setInterval(() => {
        if (before === stream.media_.length && publisher.bufferedBytes > 0) {
          clearInterval(timer)
          resolve()
        }
        before = stream.media_.length
      }, 200)
    })
    expect(stream.media_.length).toBeLessThan(total)
    stream.held = false
    await sending
    await until(stream, 'media', () => stream.media_.length === total)
  })

  it('reads at shutdown what has come by then', async () => {
    const publisher = await client('live/a')
    await publisher.publish()
    const stream = await relay.stream('live/a')
    publisher.send(9, 0, pattern(1000))
    await until(stream, 'media', () => stream.media_.length === 1)
    stream.held = true
    for (let i = 1; i <= 20; i++) publisher.send(9, i, pattern(1000))
    await publisher.drained() // over loopback: what left here lies in the listener's buffer
    expect(stream.media_.length).toBe(1)
    stream.held = false
    await listener.close(2000)
    expect([stream.media_.length, stream.ended]).toEqual([21, 'shutdown'])
  })

  it('ends everything at shutdown', async () => {
    const publisher = await client('live/a')
    await publisher.publish()
    const stream = await relay.stream('live/a')
    const sink = sinkOf()
    const player = await client('live/a')
    await player.play(sink)
    await listener.close(2000)
    expect(stream.ended).toBe('shutdown')
    await Promise.all([publisher.closed, player.closed])
    expect(listener.stats.connections).toBe(0)
  })
})

describe('bad peers', () => {
  it('drops what is no RTMP at once', async () => {
    const socket = await raw()
    socket.write('GET / HTTP/1.1\r\n\r\n')
    await once(socket.resume(), 'close')
    expect(listener.stats.failed).toBe(1)
  })

  it('drops garbage after the handshake', async () => {
    const socket = await raw()
    socket.write(Buffer.concat([Buffer.from([3]), Buffer.alloc(1536), Buffer.alloc(1536), Buffer.alloc(5000, 0xff)]))
    await once(socket.resume(), 'close')
  })

  it('drops who takes too long over the handshake, or sends a byte now and then', async () => {
    await listener.close(100)
    await listen({ limits: { handshakeTimeoutMs: 300 } })
    const silent = await raw()
    const slow = await raw()
    const timer = setInterval(() => slow.write(Buffer.from([3])), 50)
    await Promise.all([once(silent.resume(), 'close'), once(slow.resume(), 'close')])
    clearInterval(timer)
    expect(listener.stats.failed).toBe(2)
  })

  it('drops a publisher that falls silent, but not one that is held', async () => {
    await listener.close(100)
    await listen({ limits: { idleTimeoutMs: 500 } })
    const held = await client('live/held')
    await held.publish()
    const heldStream = await relay.stream('live/held')
    heldStream.held = true
    const silent = await client('live/silent')
    await silent.publish()
    const silentStream = await relay.stream('live/silent')
    await until(silentStream, 'end', () => silentStream.ended !== undefined)
    expect(silentStream.ended).toBe('kicked')
    expect(heldStream.ended).toBeUndefined()
  })

  it('bounds connections, and says so in few words', async () => {
    await listener.close(100)
    await listen({ limits: { maxConnections: 3, perAddressPerSecond: 0.1 } })
    const sockets = await Promise.all(Array.from({ length: 20 }, raw))
    const open = () => sockets.filter((socket) => !socket.destroyed).length
    for (const socket of sockets) socket.resume()
    const changed = Promise.withResolvers<void>()
    for (const socket of sockets) socket.on('close', () => open() === 3 && changed.resolve())
    await changed.promise
    expect(listener.stats).toMatchObject({ connections: 3, refused: 17 })
    for (const socket of sockets) socket.destroy()
    expect(log.of('warn').length).toBe(3)
    expect(new Set(log.of('warn'))).toEqual(new Set(['RTMP connections refused']))
  })
})
