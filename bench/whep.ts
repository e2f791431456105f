import { setTimeout as delay } from 'node:timers/promises'
import { RtpSender } from '../test/peers/rtp-sender.ts'
import { spread, table } from './measure.ts'
import { costOf, watchPeak } from './process-cost.ts'
import { h264Payloads } from './webrtc-media.ts'
import { startWhip } from './webrtc-servers.ts'

const VIEWERS = [1, 10, 50] as const
const PACKETS_PER_SECOND = 200
const FRAME_RATE_FPS = 30
/** Nobody asks this publisher for keyframes, so they come of themselves; viewers begin with the second. */
const GOP_FRAMES = FRAME_RATE_FPS
const SETTLING_MS = 2000
/** Who reports nothing for 15 s is taken for gone, ms. */
const REPORT_INTERVAL_MS = 1000
const SSRC = 1000

interface FanOut {
  readonly cpuMicrosPerPacket: number
  readonly rssBytesPerViewer: number
  readonly deliveredShare: number
}

/** CPU per RTP packet that is sent when one publisher is watched over WHEP (and recorded) by 1 to 50 viewers. */
export async function fanOut(rounds: number, seconds: number): Promise<void> {
  const rows: string[][] = []
  for (const viewers of VIEWERS) {
    const figures: FanOut[] = []
    for (let round = 0; round < rounds; round++) figures.push(await watched(viewers, seconds))
    const of = (value: (one: FanOut) => number, digits: number) => spread(figures.map(value), digits)
    rows.push([
      String(viewers),
      of((one) => one.cpuMicrosPerPacket, 1),
      viewers === 1 ? '' : of((one) => one.rssBytesPerViewer / 1e6, 2),
      of((one) => one.deliveredShare * 100, 1),
    ])
  }
  console.log(
    `\nWHEP: one publisher of ${PACKETS_PER_SECOND} packets/s, H.264 at ${FRAME_RATE_FPS} fps, each frame in one burst, recorded and ` +
      `watched, AES_CM_128_HMAC_SHA1_80, ${seconds} s; ${rounds} rounds, middle [lowest–highest]`,
  )
  table(['viewers', 'CPU µs per packet sent', 'RSS MB per viewer', '% delivered'], rows)
}

async function watched(count: number, seconds: number): Promise<FanOut> {
  const server = await startWhip()
  await using publisher = await RtpSender.start({ profile: 'cm' })
  await using viewers = await RtpSender.start({ profile: 'cm' })
  try {
    const offer = await publisher.offer('anna', { codec: 'h264', ssrcs: [SSRC] })
    await publisher.answer('anna', await server.publish('anna', offer))
    const names = Array.from({ length: count }, (_, i) => `v${i}`)
    let emptyRss = 0
    for (const [i, name] of names.entries()) {
      const wish = await viewers.offer(name, { codec: 'h264', ssrcs: [] })
      await viewers.answer(name, await server.watch('anna', wish))
      if (i === 0) emptyRss = costOf(server.pid).rssBytes
    }
    const reporting = setInterval(
      () => names.forEach((name) => void viewers.packet(name, emptyReport())),
      REPORT_INTERVAL_MS,
    )
    try {
      await delay(SETTLING_MS)
      const frames = h264Payloads(PACKETS_PER_SECOND, GOP_FRAMES)
      const peak = watchPeak(server.pid)
      const before = costOf(server.pid).cpuSeconds
      publisher.send('anna', {
        ssrc: SSRC,
        payloadType: 96,
        frames,
        framesPerSecond: FRAME_RATE_FPS,
        clockRateHz: 90_000,
      })
      await delay(seconds * 1000)
      const packets = await publisher.stop('anna')
      await delay(SETTLING_MS)
      const cpuSeconds = costOf(server.pid).cpuSeconds - before
      const rssBytes = peak()
      let delivered = 0
      for (const name of names) delivered += await viewers.count(name)
      const due = (packets - frames.slice(0, GOP_FRAMES).flat().length) * count
      return {
        cpuMicrosPerPacket: (cpuSeconds * 1e6) / due,
        rssBytesPerViewer: (rssBytes - emptyRss) / Math.max(1, count - 1),
        deliveredShare: delivered / due,
      }
    } finally {
      clearInterval(reporting)
    }
  } finally {
    await server.stop()
  }
}

/** RTCP, RFC 3550 §6.4.2: nothing to say, but there. */
function emptyReport(): Uint8Array {
  return Uint8Array.from([0x80, 201, 0, 1, 0, 0, 0, 1])
}
