import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { RtpSender } from '../test/peers/rtp-sender.ts'
import { startJanus } from './janus.ts'
import { spread, table } from './measure.ts'
import { costOf, watchPeak } from './process-cost.ts'
import { h264Payloads } from './webrtc-media.ts'
import { startWhip, type WebrtcServer } from './webrtc-servers.ts'

const FRAME_RATE_FPS = 30
/** What a server needs to be at rest, ms. */
const SETTLING_MS = 2000
/** Of media, before CPU is counted: until then just-in-time compilers are at work, which recordings of an hour do not notice, s. */
const WARM_UP_S = 10
const LOADS = [
  { publishers: 10, packetsPerSecond: 1000 },
  { publishers: 50, packetsPerSecond: 200 },
] as const
const PACINGS = ['burst', 'even'] as const

interface Load {
  readonly publishers: number
  readonly packetsPerSecond: number
  readonly pacing: (typeof PACINGS)[number]
  readonly seconds: number
}

interface Receiving {
  readonly cpuMicrosPerPacket: number
  /** Of each but the first. */
  readonly rssBytesPerPublisher: number
  readonly keptShare: number
}

/** CPU per RTP packet from the socket into a file, beside Janus; resident memory per publisher. */
export async function receiving(
  rounds: number,
  seconds: number,
  contenders: readonly (() => Promise<WebrtcServer>)[] = [startWhip, startJanus],
): Promise<void> {
  for (const pacing of PACINGS) {
    for (const { publishers, packetsPerSecond } of LOADS) {
      const rows = contenders.map(() => ({ name: '', cpu: [] as number[], rss: [] as number[], kept: [] as number[] }))
      for (let round = 0; round < rounds; round++) {
        for (const [i, start] of contenders.entries()) {
          const server = await start()
          const figures = await receive(server, { publishers, packetsPerSecond, pacing, seconds })
          rows[i].name = server.name
          rows[i].cpu.push(figures.cpuMicrosPerPacket)
          rows[i].rss.push(figures.rssBytesPerPublisher / 1e6)
          rows[i].kept.push(figures.keptShare * 100)
        }
      }
      const how = pacing === 'burst' ? 'each frame in one burst' : 'packets evenly spread'
      console.log(
        `\n${publishers} publishers of ${packetsPerSecond} packets/s, H.264 at ${FRAME_RATE_FPS} fps, ${how}, ` +
          `AES_CM_128_HMAC_SHA1_80, ${seconds} s after ${WARM_UP_S} s; ${rounds} interleaved rounds, middle [lowest–highest]`,
      )
      table(
        ['server', 'CPU µs per packet', 'RSS MB per publisher', '% of the payload in files'],
        rows.map(({ name, cpu, rss, kept }) => [name, spread(cpu, 1), spread(rss), spread(kept, 1)]),
      )
    }
  }
}

async function receive(server: WebrtcServer, load: Load): Promise<Receiving> {
  const { publishers, packetsPerSecond, pacing, seconds } = load
  await using sender = await RtpSender.start({ profile: 'cm' })
  const names = Array.from({ length: publishers }, (_, i) => `p${i}`)
  let emptyRss = 0
  try {
    for (const [i, name] of names.entries()) {
      const offer = await sender.offer(name, { codec: 'h264', ssrcs: [1000 + i] })
      await sender.answer(name, await server.publish(name, offer))
      if (i === 0) emptyRss = costOf(server.pid).rssBytes // the first brings along what all of them need
    }
    await delay(SETTLING_MS)
    const frames = h264Payloads(packetsPerSecond)
    const peak = watchPeak(server.pid)
    for (const [i, name] of names.entries()) {
      sender.send(name, {
        ssrc: 1000 + i,
        payloadType: 96,
        frames,
        framesPerSecond: FRAME_RATE_FPS,
        clockRateHz: 90_000,
        pacing,
      })
    }
    await delay(WARM_UP_S * 1000)
    const before = costOf(server.pid).cpuSeconds
    await delay(seconds * 1000)
    const cpuSeconds = costOf(server.pid).cpuSeconds - before
    let packets = 0
    for (const name of names) packets += await sender.stop(name)
    const share = seconds / (WARM_UP_S + seconds) // that were sent while it was counted
    const rssBytes = peak()
    for (const name of names) await server.hangUp(name)
    await delay(SETTLING_MS)
    const sentBytes = packets * meanBytes(frames)
    return {
      cpuMicrosPerPacket: (cpuSeconds * 1e6) / (packets * share),
      rssBytesPerPublisher: (rssBytes - emptyRss) / (publishers - 1),
      keptShare: bytesIn(server.directory) / sentBytes,
    }
  } finally {
    await server.stop()
  }
}

function meanBytes(frames: readonly (readonly Uint8Array[])[]): number {
  const all = frames.flat()
  return all.reduce((sum, { length }) => sum + length, 0) / all.length
}

function bytesIn(directory: string): number {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .map((path) => statSync(join(directory, path)))
    .reduce((sum, stat) => sum + (stat.isFile() ? stat.size : 0), 0)
}
