import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { type ByteConsumer, type ByteSource, StreamSource } from '../../src/rtmp/byte-source.ts'
import { takeOver } from '../../src/rtmp/polled-source.ts'
import { type Appetite, type PacedConsumer, ReadPacer } from '../../src/rtmp/read-pacer.ts'
import { pattern } from './collector.ts'

/** Passes on what a source is told, and counts it. */
class CountedSource implements ByteSource {
  polls = 0
  flows = 0
  halts = 0
  readonly #source: ByteSource
  #told = Promise.withResolvers<void>()

  constructor(source: ByteSource) {
    this.#source = source
  }

  flow(): void {
    this.flows++
    this.#source.flow()
    this.#tell()
  }
  halt(): void {
    this.halts++
    this.#source.halt()
    this.#tell()
  }
  poll(): void {
    this.polls++
    this.#source.poll()
    this.#tell()
  }
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await this.#told.promise
  }
  #tell(): void {
    this.#told.resolve()
    this.#told = Promise.withResolvers()
  }
}

/** Keeps what it gets, and lets tests wait for it. */
class Bucket implements PacedConsumer {
  appetite: Appetite = 'now'
  readonly reads: number[] = []
  #parts: Buffer[] = []
  #changed = Promise.withResolvers<void>()
  end: { error: Error | undefined } | undefined

  get all(): Buffer {
    this.#parts = [Buffer.concat(this.#parts)]
    return this.#parts[0]
  }
  bytes(bytes: Buffer, length: number): void {
    this.reads.push(length)
    this.#parts.push(Buffer.from(bytes.subarray(0, length)))
    this.#change()
  }
  ended(error: Error | undefined): void {
    if (this.end !== undefined) throw new Error('ended twice')
    this.end = { error }
    this.#change()
  }
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await this.#changed.promise
  }
  #change(): void {
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
  }
}

let server: Server | undefined
const sockets: Socket[] = []

/** A pair of sockets over loopback, the accepted one wrapped as `kind`. */
async function pair(
  kind: 'polled' | 'stream',
  consumerOf: (socket: Socket) => ByteConsumer,
): Promise<{ peer: Socket; accepted: Socket; source: ByteSource }> {
  server = createServer({ pauseOnConnect: kind === 'polled' })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const peer = connect(typeof address === 'object' && address !== null ? address.port : 0, '127.0.0.1')
  peer.on('error', () => undefined)
  const [fresh]: Socket[] = await once(server, 'connection')
  if (kind === 'stream') {
    sockets.push(peer, fresh)
    return { peer, accepted: fresh, source: new StreamSource(fresh, consumerOf(fresh)) }
  }
  const taken = takeOver(fresh)
  if (taken === undefined) throw new Error('this Node does not have what polling needs')
  sockets.push(peer, taken.socket)
  return { peer, accepted: taken.socket, source: taken.source(consumerOf(taken.socket)) }
}

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy()
  server?.close()
})

for (const kind of ['polled', 'stream'] as const) {
  describe(`a ${kind} source`, () => {
    it('flows, halts, is polled, and flows again, losing nothing', async () => {
      const bucket = new Bucket()
      const { peer, source } = await pair(kind, () => bucket)
      peer.write(pattern(1000))
      await bucket.until(() => bucket.all.length === 1000)
      source.halt()
      const sent = new Promise((resolve) => peer.write(pattern(300_000, 2), resolve))
      while (bucket.all.length < 301_000) {
        source.poll()
        await new Promise((resolve) => setImmediate(resolve))
      }
      await sent
      source.flow()
      peer.write(pattern(500_000, 3))
      await bucket.until(() => bucket.all.length === 801_000)
      expect(bucket.all.equals(Buffer.concat([pattern(1000), pattern(300_000, 2), pattern(500_000, 3)]))).toBe(true)
    })

    it('sees the end, flowing or polled, once', async () => {
      for (const polled of [false, true]) {
        const bucket = new Bucket()
        const { peer, source, accepted } = await pair(kind, () => bucket)
        if (polled) source.halt()
        peer.end(pattern(10))
        while (polled && bucket.end === undefined) {
          source.poll()
          await new Promise((resolve) => setImmediate(resolve))
        }
        await bucket.until(() => bucket.end !== undefined)
        expect(bucket.all.length).toBe(10)
        expect(bucket.end).toEqual({ error: undefined })
        accepted.destroy()
        source.poll()
        server?.close()
      }
    })

    it('sees a reset while polled', async () => {
      const bucket = new Bucket()
      const { peer, source } = await pair(kind, () => bucket)
      source.halt()
      peer.write('x')
      peer.resetAndDestroy()
      while (bucket.end === undefined) {
        source.poll()
        await new Promise((resolve) => setImmediate(resolve))
      }
      expect(bucket.end.error).toMatchObject({ code: 'ECONNRESET' })
    })

    it('is paced: gathered while nobody is in a hurry, at once for who sends fast, not at all while held', async () => {
      const bucket = new Bucket()
      const pacer = new ReadPacer(40)
      const reader = pacer.reader(bucket)
      const { peer, source } = await pair(kind, () => reader)
      const counted = new CountedSource(source)
      reader.attach(counted)
      bucket.appetite = 'gather'
      peer.write('x')
      await bucket.until(() => bucket.all.length === 1)
      const timer = setInterval(() => peer.write(Buffer.alloc(100)), 5)
      await bucket.until(() => bucket.reads.length >= 5)
      clearInterval(timer)
      expect(counted).toMatchObject({ flows: 0, halts: 1 })
      // a stream reads ahead, and hands out in pieces what it has
      if (kind === 'polled') expect(counted.polls).toBeGreaterThanOrEqual(bucket.reads.length - 1)

      bucket.appetite = 'nothing'
      const before = bucket.all.length
      const flood = new Promise((resolve) => peer.write(Buffer.alloc(40_000_000), resolve))
      const { halts } = counted
      await counted.until(() => counted.halts >= halts + 7) // one a tick
      expect(bucket.all.length - before).toBeLessThan(kind === 'polled' ? 70_000 : 1_000_000)
      bucket.appetite = 'gather'
      const { polls } = counted
      await flood
      await bucket.until(() => bucket.all.length >= before + 40_000_000)
      // it flows after a poll or two; of 64 KB each, there would be 600
      expect(counted.flows).toBeGreaterThan(0)
      expect(counted.polls - polls).toBeLessThan(60)

      bucket.appetite = 'now'
      peer.end()
      await bucket.until(() => bucket.end !== undefined)
    })
  })
}
