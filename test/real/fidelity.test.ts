import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ChromiumPlayer } from '../peers/chromium.ts'
import { complaints, madeMedia, type ProbedPacket, packetsOf, probe, publish } from '../peers/ffmpeg.ts'
import { scratch, TapedeckProcess } from '../peers/tapedeck.ts'

const SECONDS = 20
/** Tolerance of a time against the source's own spacing; RTMP counts in whole milliseconds. */
const TOLERANCE_SECONDS = 0.00101
const place = scratch('fidelity')
let source: string
let chromium: ChromiumPlayer

beforeAll(async () => {
  source = await madeMedia(
    `fidelity-${SECONDS}s.mp4`,
    `-f lavfi -i testsrc2=size=1280x720:rate=30 -f lavfi -i sine=frequency=440:sample_rate=44100 -t ${SECONDS} -c:v libx264 -preset veryfast -b:v 2500k -bf 2 -g 60 -pix_fmt yuv420p -c:a aac -b:a 128k -ac 2`,
  )
  chromium = await ChromiumPlayer.launch()
})
afterAll(async () => {
  await chromium?.close()
  place.drop()
})

const of = (packets: readonly ProbedPacket[], type: 'video' | 'audio') =>
  packets.filter((packet) => packet.type === type)

/** Every payload in order, every time within a millisecond of the source's spacing, and the tracks apart as they were. */
function expectSame(
  recorded: readonly ProbedPacket[],
  sent: readonly ProbedPacket[],
  times: readonly ('pts' | 'dts')[],
): void {
  for (const type of ['video', 'audio'] as const) {
    const [mine, theirs] = [of(recorded, type), of(sent, type)]
    expect(mine.length, `${type} packets`).toBe(theirs.length)
    expect(mine.map(({ hash }) => hash)).toEqual(theirs.map(({ hash }) => hash))
    for (const time of times) {
      const worst = Math.max(
        ...mine.map((packet, i) => Math.abs(packet[time] - mine[0][time] - (theirs[i][time] - theirs[0][time]))),
      )
      expect(worst, `${type} ${time} spacing`).toBeLessThanOrEqual(TOLERANCE_SECONDS)
    }
  }
  const offset = (packets: readonly ProbedPacket[]) => of(packets, 'video')[0].pts - of(packets, 'audio')[0].pts
  expect(Math.abs(offset(recorded) - offset(sent)), 'A/V offset').toBeLessThanOrEqual(TOLERANCE_SECONDS)
}

describe.concurrent.each(['mp4', 'flv', 'mkv'])(
  'ffmpeg publishes 20 s of H.264 with B-frames and AAC into %s',
  (format) => {
    it('and the file holds every packet, at its time', async () => {
      const server = await TapedeckProcess.start(join(place.path, format), '--record-format', format)
      const publisher = publish(source, `${server.rtmp}/live/test`, { speed: 1 })
      await expect.poll(() => server.files().length, { timeout: 30_000 }).toBe(1)
      const file = join(server.recordings, server.files()[0])
      if (format === 'mp4') {
        await expect
          .poll(
            () =>
              packetsOf(file).then(
                (packets) => packets.length,
                () => 0,
              ),
            { timeout: 60_000, interval: 500 },
          )
          .toBeGreaterThan(600)
        expect(await chromium.play(file, 5), 'growing').toMatchObject({ error: undefined, width: 1280, height: 720 })
      }
      expect((await publisher.ended).said).toBe('')
      await expect.poll(() => server.metric('tapedeck_recordings_active'), { timeout: 30_000 }).toBe(0)
      expect(server.files()).toHaveLength(1)
      expect(server.files()[0]).toMatch(new RegExp(`^live_test_\\d{8}_\\d{6}\\.\\d{3}\\.${format}$`))
      expectSame(await packetsOf(file), await packetsOf(source), format === 'mkv' ? ['pts'] : ['pts', 'dts'])
      expect(await complaints(file)).toBe('')
      expect(Number((await probe(file)).format.duration)).toBeCloseTo(SECONDS, 0)
      if (format === 'mp4') {
        const played = await chromium.play(file, 15)
        expect(played).toMatchObject({ error: undefined, width: 1280, height: 720 })
        expect(played.durationSeconds).toBeCloseTo(SECONDS, 0)
        expect(played.framesAfterSeek).toBeGreaterThan(5)
      }
      expect(await server.end()).toBe(0)
    })
  },
)
