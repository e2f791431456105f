import { createHash } from 'node:crypto'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { describeTrack, refineTrack } from '../../src/codec/track.ts'
import type { AudioCodec, VideoCodec } from '../../src/media/track.ts'
import { DecodeClock } from '../../src/rtp/decode-clock.ts'
import { depacketizerFor } from '../../src/rtp/depacketize/depacketizer-for.ts'
import { FrameGate } from '../../src/rtp/frame-gate.ts'
import { RtpPacket } from '../../src/rtp/packet.ts'
import { ffmpeg, madeMedia, packetsOf } from '../peers/ffmpeg.ts'
import { until } from '../peers/until.ts'

const VIDEO = '-f lavfi -i testsrc2=size=640x360:rate=25 -t 2 -pix_fmt yuv420p -g 25'
const SOUND = '-f lavfi -i sine=frequency=440:sample_rate=48000 -t 2'

/** What ffmpeg sends: a file with one stream, copied packet by packet. */
const SOURCES: readonly (readonly [VideoCodec | AudioCodec, name: string, args: string])[] = [
  ['h264', 'rtp-h264.mp4', `${VIDEO} -c:v libx264 -preset veryfast -bf 3 -x264-params slices=3`],
  ['hevc', 'rtp-hevc.mp4', `${VIDEO} -c:v libx265 -preset ultrafast -bf 3 -x265-params log-level=none -tag:v hvc1`],
  ['vp8', 'rtp-vp8.webm', `${VIDEO} -c:v libvpx -deadline realtime -cpu-used 8`],
  ['vp9', 'rtp-vp9.webm', `${VIDEO} -c:v libvpx-vp9 -deadline realtime -cpu-used 8`],
  ['opus', 'rtp-opus.webm', `${SOUND} -ac 2 -c:a libopus`],
  ['pcm-alaw', 'rtp-alaw.wav', `${SOUND} -ar 8000 -ac 1 -c:a pcm_alaw`],
]

type Received = { readonly hash: string; readonly bytes: Uint8Array; readonly pts: number; readonly key: boolean }

/** One encoding as it comes in over UDP. */
class Arrival {
  readonly socket: Socket = createSocket('udp4')
  readonly packets: RtpPacket[] = []
  port = 0

  async listen(): Promise<this> {
    this.socket.on('message', (message) => {
      const isRtcp = message[1] >= 200 && message[1] <= 207
      if (!isRtcp) this.packets.push(new RtpPacket(new Uint8Array(message), performance.now()))
    })
    this.socket.bind(0, '127.0.0.1')
    await once(this.socket, 'listening')
    this.socket.setRecvBufferSize(4 * 1024 * 1024)
    this.port = this.socket.address().port
    return this
  }
}

it('what ffmpeg sends over RTP comes out as it lies in its files', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'tapedeck-rtp-'))
  const arrivals = await Promise.all(SOURCES.map(() => new Arrival().listen()))
  try {
    const paths = await Promise.all(SOURCES.map(([, name, args]) => madeMedia(name, args)))
    const sdp = join(directory, 'all.sdp')
    const inputs = paths.flatMap((path) => ['-re', '-i', path])
    const outputs = arrivals.flatMap(({ port }, i) => {
      const target = `rtp://127.0.0.1:${port}?rtcpport=${port}&pkt_size=1200`
      return ['-map', `${i}:0`, '-c', 'copy', '-strict', '-2', '-f', 'rtp', target]
    })
    await ffmpeg(...inputs, '-sdp_file', sdp, ...outputs)
    const description = await readFile(sdp, 'utf8')
    for (const [i, [codec]] of SOURCES.entries()) {
      const sent = await packetsOf(paths[i])
      const received = await until(`all of ${codec}`, () => {
        const units = depacketized(codec, description.split(/^m=/m)[i + 1], arrivals[i].packets)
        return size(units) >= size(sent) ? units : undefined
      })
      if (codec === 'pcm-alaw') {
        const file = (await readFile(paths[i])).subarray(-size(received))
        expect(Buffer.compare(Buffer.concat(received.map(({ bytes }) => bytes)), file)).toBe(0)
        continue
      }
      expect(received.map(({ hash }) => `MD5:${hash}`)).toEqual(sent.map(({ hash }) => hash))
      expect(received.map(({ key }) => key)).toEqual(sent.map(({ key }) => key))
      const shownMs = (all: readonly { pts: number }[], rate: number) =>
        all.map(({ pts }) => Math.round(((pts - all[0].pts) * 1000) / rate))
      const rate = codec === 'opus' ? 48_000 : 90_000
      for (const [n, ms] of shownMs(received, rate).entries()) {
        expect(Math.abs(ms - shownMs(sent, 1)[n])).toBeLessThanOrEqual(1)
      }
    }
  } finally {
    for (const { socket } of arrivals) socket.close()
    await rm(directory, { recursive: true })
  }
})

function size(all: readonly ({ readonly size: number } | { readonly bytes: Uint8Array })[]): number {
  return all.reduce((sum, each) => sum + ('size' in each ? each.size : each.bytes.length), 0)
}

/** Takes packets apart; checks that nothing was damaged, that the track can be described, and that decoding times rise. */
function depacketized(codec: VideoCodec | AudioCodec, media: string, packets: readonly RtpPacket[]): Received[] {
  const [, clockRate, channels] = /^a=rtpmap:\d+ [^/]+\/(\d+)(?:\/(\d+))?/m.exec(media) ?? []
  const fmtp = /^a=fmtp:\d+ (.*?)\r?$/m.exec(media)?.[1] ?? ''
  const pairs = fmtp.split(/;\s*/).map((pair) => /^([^=]*)=?(.*)$/.exec(pair)?.slice(1) ?? [])
  const parameters = new Map(pairs.map(([name, value]) => [name.trim().toLowerCase(), value]))
  const clockRateHz = Number(clockRate ?? 8000)
  const isVideo = codec === 'h264' || codec === 'hevc' || codec === 'vp8' || codec === 'vp9'
  const clock = isVideo ? new DecodeClock(codec, clockRateHz) : undefined
  const received: Received[] = []
  let lastDts = Number.NEGATIVE_INFINITY
  const gate = new FrameGate(
    {
      unit({ timestamp, data, key, config, width }) {
        if (config !== undefined) {
          clock?.configure(config)
          const about = {
            id: 1,
            epoch: 0,
            timescale: clockRateHz,
            codec,
            config,
            sampleRateHz: clockRateHz,
            channels: 1,
          }
          const track = refineTrack(describeTrack(about), data)
          if (track.kind === 'video') expect([track.width, width]).toEqual([640, 640])
        }
        const bytes = data.slice()
        received.push({ hash: createHash('md5').update(bytes).digest('hex'), bytes, pts: timestamp, key })
        clock?.place(timestamp, key)
        if (clock === undefined) return
        expect(clock.dts).toBeGreaterThan(lastDts)
        expect(clock.dts).toBeLessThanOrEqual(timestamp)
        lastDts = clock.dts
      },
      loss: (loss) => expect(loss).toBeUndefined(),
      keyframeNeeded: () => expect('a keyframe').toBe('needed'),
    },
    { clockRateHz },
  )
  const depacketizer = depacketizerFor({ codec, clockRateHz, channels: Number(channels ?? 1), parameters }, gate)
  for (const packet of packets) depacketizer.packet(packet)
  depacketizer.flush()
  expect(depacketizer.malformed).toBe(0)
  expect(clock?.moved ?? 0).toBe(0)
  return received
}
