import { readFileSync } from 'node:fs'
import { setTimeout as later } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { decodingFaults } from '../peers/decoding.ts'
import { madeMedia, packetsOf } from '../peers/ffmpeg.ts'
import { recorded } from '../peers/recorded.ts'
import { RtpSender } from '../peers/rtp-sender.ts'
import { scratch, TapedeckProcess } from '../peers/tapedeck.ts'
import { until } from '../peers/until.ts'
import { WhipServer } from '../peers/whip-rig.ts'
import { vp8Payloads } from '../rtp/packetizers.ts'

/** Pictures to a GOP; the queue holds two of them. */
const GOP = 15
const FRAME_RATE_FPS = 60
/** How long the server stands still, and what it takes to fill the link meanwhile. */
const STANDSTILL_MS = 3000
const BITRATE = '5M'

const place = scratch('whip-slow-server')
let server: WhipServer
let sender: RtpSender
beforeAll(async () => {
  const queue = ['--webrtc-video-queue', String(2 * GOP), '--reconnect-window', '0s']
  ;[server, sender] = await Promise.all([
    WhipServer.start(place.path, 'http://127.0.0.1', ...queue),
    RtpSender.start({ profile: 'cm' }),
  ])
})
afterAll(async () => {
  await sender?.kill()
  await TapedeckProcess.endAll()
  place.drop()
})

/** The frames of an IVF file: 32 bytes, then each with a header of 12. */
function ivfFrames(path: string): Buffer[] {
  const file = readFileSync(path)
  const frames: Buffer[] = []
  for (let at = 32; at < file.length; at += 12 + file.readUInt32LE(at)) {
    frames.push(file.subarray(at + 12, at + 12 + file.readUInt32LE(at)))
  }
  return frames
}

it('while the server stands still whole GOPs are dropped, counted and told; then it goes on at a keyframe', async () => {
  const rate = `-b:v ${BITRATE} -minrate ${BITRATE} -maxrate ${BITRATE} -bufsize 1M`
  const made = `-f lavfi -i testsrc2=size=640x360:rate=${FRAME_RATE_FPS} -t 2 -vf noise=alls=40:allf=t -pix_fmt yuv420p
    -c:v libvpx -deadline realtime -cpu-used 8 -auto-alt-ref 0 -g ${GOP} -keyint_min ${GOP} ${rate}`
  const frames = ivfFrames(await madeMedia('slow-server.ivf', made))
  expect(frames).toHaveLength(2 * FRAME_RATE_FPS)
  const offer = await sender.offer('slow', { codec: 'vp8', ssrcs: [7], bindAddress: '127.0.0.1' })
  const headers = { 'content-type': 'application/sdp' }
  const answer = await fetch(server.whip('slow'), { method: 'POST', headers, body: offer })
  expect(answer.status).toBe(201)
  await sender.answer('slow', await answer.text())
  const framesSent = 7 * FRAME_RATE_FPS
  sender.send('slow', {
    ...{ ssrc: 7, payloadType: 96, framesPerSecond: FRAME_RATE_FPS, clockRateHz: 90_000, maxFrames: framesSent },
    frames: frames.map((frame) => vp8Payloads(frame)),
  })
  await later(1500)
  process.kill(server.tapedeck.pid, 'SIGSTOP')
  await later(STANDSTILL_MS)
  process.kill(server.tapedeck.pid, 'SIGCONT')
  const shown = await until('what the API says of it', async () => {
    const { participants } = await (await fetch(`${server.tapedeck.http}/api/rooms/live/participants`)).json()
    const [track] = participants[0].source_report.tracks
    return track.dropped_frames > 0 && track.frames === framesSent ? track : undefined
  })
  const session = new URL(answer.headers.get('location') ?? '', server.tapedeck.http)
  expect((await fetch(session, { method: 'DELETE' })).status).toBe(200)

  const [{ report, files }] = await recorded(server.tapedeck, 'slow')
  const [figures] = report.source?.tracks ?? []
  const packets = await packetsOf(files[0])
  console.log(`${figures.droppedFrames} of ${framesSent} frames dropped`)
  expect(figures).toMatchObject({ frames: framesSent, droppedFrames: shown.dropped_frames, packetsLost: 0 })
  expect(packets).toHaveLength(framesSent - figures.droppedFrames)
  const times = packets.map(({ pts }) => pts)
  const steps = times.slice(1).map((at, i) => at - times[i])
  expect(Math.min(...steps)).toBeGreaterThan(0)
  const holes = steps.flatMap((step, i) => (step > 0.1 ? [i + 1] : []))
  expect(holes.length).toBeGreaterThan(0)
  for (const at of holes) expect(packets[at].key).toBe(true)
  expect(await decodingFaults(files[0])).toBe('')
})
