import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Impairment } from '../peers/udp-impairment.ts'
import { UdpProxies } from '../peers/udp-proxy.ts'
import { until } from '../peers/until.ts'

const PACKETS = 2000

let proxies: UdpProxies
beforeAll(async () => {
  proxies = await UdpProxies.start()
})
afterAll(() => proxies.close())

/** Sends RTP through a proxy, two every ms, and says which numbers came, when, and from where. */
async function through(
  seed: number,
  up: Impairment,
  midway?: (proxy: Awaited<ReturnType<UdpProxies['open']>>) => Promise<void>,
) {
  const server = createSocket('udp4').bind(0, '127.0.0.1')
  await once(server, 'listening')
  const client = createSocket('udp4')
  const proxy = await proxies.open(server.address().port, seed, { up })
  const came: { number: number; tookMs: number; port: number }[] = []
  const sentAt: number[] = []
  server.on('message', (bytes, { port }) => {
    const number = bytes.readUInt32BE(12)
    came.push({ number, tookMs: performance.now() - sentAt[number], port })
  })
  for (let number = 0; number < PACKETS; number++) {
    const packet = Buffer.alloc(16)
    packet[0] = 0x80
    packet[1] = 96
    packet.writeUInt32BE(7, 8)
    packet.writeUInt32BE(number, 12)
    sentAt.push(performance.now())
    client.send(packet, proxy.port, proxy.host)
    if (number % 2 === 1) await new Promise((resolve) => setTimeout(resolve, 1))
    if (number === PACKETS / 2) await midway?.(proxy)
  }
  const expected = async () => {
    const { up: counts } = await proxy.counts()
    const { passed, dropped, duplicated } = counts.kinds.rtp
    return passed + dropped === PACKETS && came.length === passed + duplicated ? counts : undefined
  }
  const counts = await until('all packets to be accounted for', expected)
  await proxy.close()
  server.close()
  client.close()
  return { came, counts }
}

describe('the bad network', () => {
  it('loses what it says, by seed', async () => {
    const [one, same, other] = await Promise.all([1, 1, 2].map((seed) => through(seed, { loss: 0.05 })))
    const numbers = ({ came }: typeof one) => came.map(({ number }) => number)
    expect(one.counts.streams).toMatchObject([{ ssrc: 7, payloadType: 96, ...one.counts.kinds.rtp }])
    expect(one.counts.kinds.rtp.dropped).toBeGreaterThan(PACKETS * 0.03)
    expect(one.counts.kinds.rtp.dropped).toBeLessThan(PACKETS * 0.07)
    expect(numbers(same)).toEqual(numbers(one))
    expect(numbers(other)).not.toEqual(numbers(one))
    expect(numbers(one)).toEqual(numbers(one).toSorted((a, b) => a - b))
  })

  it('delays, reorders, doubles, and changes its address', async () => {
    const [late, mixed, twice, moved] = await Promise.all([
      through(3, { delayMs: 40, jitterMs: [100, 300] }),
      through(4, { reorder: 0.1, reorderMs: 20 }),
      through(5, { duplicate: 0.1 }),
      through(6, {}, (proxy) => proxy.rebind()),
    ])
    expect(Math.min(...late.came.map(({ tookMs }) => tookMs))).toBeGreaterThan(139)
    expect(late.came.map(({ number }) => number)).toEqual(Array.from({ length: PACKETS }, (_, i) => i))
    const steps = mixed.came.slice(1).filter(({ number }, i) => number < mixed.came[i].number)
    expect(steps.length).toBeGreaterThan(PACKETS * 0.05)
    expect(twice.counts.kinds.rtp.duplicated).toBeGreaterThan(PACKETS * 0.07)
    expect(new Set(moved.came.map(({ port }) => port)).size).toBe(2)
  })

  it('is away for a while, once or again and again', async () => {
    const [outage, bursts] = await Promise.all([
      through(7, {}, (proxy) => proxy.outage(200)),
      through(8, { burst: { everyMs: 400, lengthMs: 200 } }),
    ])
    for (const { counts } of [outage, bursts]) expect(counts.kinds.rtp.dropped).toBeGreaterThan(50)
    const holes = ({ came }: typeof outage) =>
      came.slice(1).filter(({ number }, i) => number - came[i].number > 20).length
    expect(holes(outage)).toBe(1)
    expect(holes(bursts)).toBeGreaterThanOrEqual(2)
  })
})
