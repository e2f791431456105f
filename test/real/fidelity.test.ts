import { copyFileSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ChromiumPlayer } from '../peers/chromium.ts'
import { cli } from '../peers/cli.ts'
import { complaints, madeMedia, packetsOf, probe, publish } from '../peers/ffmpeg.ts'
import { expectInspectAgrees } from '../peers/inspected.ts'
import { expectNothingLost, recorded } from '../peers/recorded.ts'
import { expectSame, tracksOf } from '../peers/sent-tracks.ts'
import { scratch, TapedeckProcess } from '../peers/tapedeck.ts'
import { until } from '../peers/until.ts'

const SECONDS = 20
/** So much of a growing file's end is torn off: less than a fragment of half a second. */
const TORN_BYTES = 60_000
/** A fragment that is torn is cut off. */
const FRAGMENT_SECONDS = 0.6
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

async function packetCount(path: string): Promise<number> {
  return packetsOf(path).then(
    (packets) => packets.length,
    () => 0,
  )
}

async function expectPlays(path: string, seekToSeconds: number, what: string): Promise<number> {
  const { durationSeconds, ...played } = await chromium.play(path, seekToSeconds)
  expect(played, what).toMatchObject({ error: undefined, width: 1280, height: 720 })
  expect(played.seekedToSeconds, what).toBeGreaterThanOrEqual(seekToSeconds + 0.5)
  expect(played.framesAfterSeek, what).toBeGreaterThan(5)
  return durationSeconds
}

/** A crash in the middle of a write: the copy of a growing file without its end is repaired, and holds all that was whole. */
async function expectRepairs(growing: string, torn: string): Promise<void> {
  copyFileSync(growing, torn)
  truncateSync(torn, statSync(torn).size - TORN_BYTES)
  const endSeconds = Math.max(...(await packetsOf(torn)).map(({ pts }) => pts))
  const { code, stdout } = await cli(place.path, ['repair', '--json', torn])
  expect(code).toBe(0)
  const report = JSON.parse(stdout)
  expect(report).toMatchObject({ ok: true, changed: true })
  const [mine, theirs] = [tracksOf(await packetsOf(torn)), tracksOf(await packetsOf(source))]
  const [video, audio] = [mine.video[0].length, mine.audio[0].length]
  expect(video + audio).toBe(report.frames)
  expect(video / 30).toBeGreaterThan(endSeconds - FRAGMENT_SECONDS)
  expectSame(mine, { video: [theirs.video[0].slice(0, video)], audio: [theirs.audio[0].slice(0, audio)] })
  expect(await complaints(torn)).toBe('')
  await expectInspectAgrees(torn)
  expect(await expectPlays(torn, 5, 'repaired')).toBeCloseTo(video / 30, 0)
}

describe.concurrent.each(['mp4', 'flv', 'mkv'])(
  'ffmpeg publishes 20 s of H.264 with B-frames and AAC into %s',
  (format) => {
    it('and the file holds every packet, at its time', async () => {
      const flags = ['--record-format', format, '--record-report']
      const server = await TapedeckProcess.start(join(place.path, format), ...flags)
      const publisher = publish(source, `${server.rtmp}/live/test`, { speed: 1 })
      const file = join(server.recordings, await until('a file', () => server.files().at(0)))
      if (format === 'mp4') {
        await until('8 s of media', async () => ((await packetCount(file)) > 600 ? true : undefined))
        await expectPlays(file, 5, 'growing')
        await expectRepairs(file, join(place.path, 'torn.mp4'))
      }
      expect((await publisher.ended).said).toBe('')
      const [recording] = await recorded(server, 'test')
      expectNothingLost(recording)
      expect(recording.files).toEqual([file])
      expect(server.files()).toHaveLength(1)
      expect(server.files()[0]).toMatch(new RegExp(`^live_test_\\d{8}_\\d{6}\\.\\d{3}\\.${format}$`))
      const [mine, theirs] = [tracksOf(await packetsOf(file)), tracksOf(await packetsOf(source))]
      // Matroska stores no dts: ffprobe makes them up from the pts
      expectSame(mine, theirs, format === 'mkv' ? ['pts'] : ['pts', 'dts'])
      expect(await complaints(file)).toBe('')
      expect(Number((await probe(file)).format.duration)).toBeCloseTo(SECONDS, 0)
      await expectInspectAgrees(file)
      if (format === 'mp4') expect(await expectPlays(file, 15, 'finalised')).toBeCloseTo(SECONDS, 0)
      expect(await server.end()).toBe(0)
    })
  },
)
