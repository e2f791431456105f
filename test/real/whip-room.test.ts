import { join } from 'node:path'
import { setTimeout as later } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { browserTurn, TURN_TIMEOUT_MS } from '../peers/browser-turn.ts'
import { ChromiumPeers, MARK_PERIOD_MS } from '../peers/chromium-publisher.ts'
import { expectInSync, judged, MAX_OFFSET_MS } from '../peers/judged-file.ts'
import { markedMedia } from '../peers/marked-media.ts'
import { PacedPublisher } from '../peers/paced-publisher.ts'
import { Starvation } from '../peers/starvation.ts'
import { median, syncMarks, zeroOfPictures } from '../peers/sync-marks.ts'
import { scratch, TapedeckProcess } from '../peers/tapedeck.ts'
import { WhipServer } from '../peers/whip-rig.ts'

const AWAY_MS = 10_000
const PRESENT_MS = 8000
/** Until sender reports have told how sound and picture lie to each other, and that is eased over, ms. */
const SETTLING_MS = 4000
/** What is granted where only two or three reports of the sound have come, each of which may have been held up, ms. */
const FEW_REPORTS_MS = 20

const place = scratch('whip-room')
let peers: ChromiumPeers
let handOn: (() => Promise<void>) | undefined
beforeAll(async () => {
  handOn = await browserTurn()
  peers = await ChromiumPeers.launch()
}, TURN_TIMEOUT_MS)
afterAll(async () => {
  await peers?.close()
  await TapedeckProcess.endAll()
  place.drop()
  await handOn?.()
})

describe.concurrent('a room', () => {
  it('two browsers and one RTMP publisher: three files, and what was at one time is at one time', async () => {
    const server = await WhipServer.start(join(place.path, 'room'), peers.origin, '--no-record-all')
    const [one, two] = await Promise.all([
      peers.page({ rateFps: 25 }),
      peers.page({ rateFps: 30, width: 320, height: 180 }),
    ])
    const flv = await markedMedia('marked-room.flv', {
      seconds: 60,
      periodMs: MARK_PERIOD_MS,
      soundLateMs: 0,
      args: '-c:v libx264 -preset ultrafast -g 25 -c:a aac',
    })
    await later(3000)
    await one.publish('one', { url: server.whip('one'), codec: 'VP8', maxBitratesBps: [500_000] })
    const id = await server.record()
    const starvation = new Starvation()
    const rtmp = await PacedPublisher.start(server.tapedeck.rtmpPort, 'live', 'three', flv)
    // its pictures are made when they are sent; in the file they lie somewhat behind what they show
    const rtmpZeroMs = performance.timeOrigin + rtmp.startedAtMs - zeroOfPictures(await syncMarks(flv, 0))
    await later(1500)
    await two.publish('two', { url: server.whip('two'), codec: 'H264', maxBitratesBps: [300_000] })
    await later(PRESENT_MS * 1.5)
    const grantedMs = starvation.stop()
    const recording = await server.stopped(id)
    await rtmp.finish()
    await Promise.all([one.close('one'), two.close('two')])
    const clocks = { one: await one.soundClocks(), two: await two.soundClocks() }
    await Promise.all([one.page.close(), two.page.close()])
    expect(recording.files.map(({ participant_id }) => participant_id).sort()).toEqual(['one', 'three', 'two'])
    const zeros = new Map<string, number>()
    for (const { participant_id, path, offset_ms, anchors } of recording.files) {
      const who = participant_id ?? ''
      expect(anchors).toHaveLength(1)
      const isRtmp = who === 'three'
      const where = server.pathOf(path)
      const file = await judged(where, isRtmp ? 0 : Date.now())
      expect(file.marks.complaints).toBe('')
      if (who === 'one' || who === 'two') {
        console.log(
          `${who}: ${expectInSync(file, { clocks: clocks[who], grantedMs: grantedMs + FEW_REPORTS_MS, fromMs: file.madeAtMs[0] + SETTLING_MS })}`,
        )
      } else {
        expect(Math.abs(median(file.sound.map(({ lateMs }) => lateMs))), who).toBeLessThanOrEqual(MAX_OFFSET_MS)
      }
      const end = file.marks.pictures.at(-1)?.ptsMs ?? 0
      const wallZeroMs = zeroOfPictures(file.marks, end - 5000) + (isRtmp ? rtmpZeroMs : 0)
      zeros.set(who, wallZeroMs - offset_ms)
    }
    const all = [...zeros.values()]
    const said = [...zeros].map(([name, zero]) => `${name} ${(zero - median(all)).toFixed(1)}`).join(', ')
    console.log(`zero of the recording by what each shows, ms apart: ${said}; granted ${grantedMs.toFixed(1)}`)
    const limitMs = MAX_OFFSET_MS + grantedMs
    expect(Math.max(...all) - Math.min(...all), said).toBeLessThanOrEqual(limitMs)
  })

  it('who comes back after 10 s goes on in the same file, with a hole, in sync', async () => {
    const server = await WhipServer.start(join(place.path, 'back'), peers.origin, '--no-record-all')
    const page = await peers.page({ width: 320, height: 180, rateFps: 25 })
    await later(3000)
    const options = { codec: 'VP8', maxBitratesBps: [300_000] } as const
    const id = await server.record(['polite', 'sudden'])
    const starvation = new Starvation()
    for (const who of ['polite', 'sudden']) await page.publish(who, { ...options, url: server.whip(who) })
    await later(PRESENT_MS)
    await Promise.all([page.close('polite'), page.drop('sudden')])
    await later(AWAY_MS)
    for (const who of ['polite', 'sudden']) await page.publish(who, { ...options, url: server.whip(who) })
    await later(PRESENT_MS)
    const grantedMs = starvation.stop()
    for (const who of ['polite', 'sudden']) await page.close(who)
    const clocks = await page.soundClocks()
    const { files, participants } = await server.stopped(id)
    expect(participants.map(({ reconnects }) => reconnects)).toEqual([1, 1])
    expect(files.map(({ participant_id }) => participant_id).sort()).toEqual(['polite', 'sudden'])
    for (const { participant_id, path } of files) {
      const who = participant_id ?? ''
      const file = await judged(server.pathOf(path))
      expect(file.marks.complaints).toBe('')
      expect([file.tornPictures, file.misplacedPictures]).toEqual([0, 0])
      expect(file.holesMs, who).toHaveLength(1)
      expect(Math.abs(file.holesMs[0] - AWAY_MS)).toBeLessThan(3000)
      const { pictures } = file.marks
      const gapAt = pictures.findIndex(({ ptsMs }, i) => i > 0 && ptsMs - pictures[i - 1].ptsMs > AWAY_MS / 2)
      const holeMs = pictures[gapAt].ptsMs - pictures[gapAt - 1].ptsMs
      console.log(`${who}: a hole of ${file.holesMs[0]} ms, in the file ${holeMs}`)
      expect(Math.abs(holeMs - file.holesMs[0]), who).toBeLessThan(300)
      const back = file.madeAtMs.findIndex((at, i) => i > 0 && at - file.madeAtMs[i - 1] > AWAY_MS / 2)
      for (const [from, to] of [
        [0, back - 1],
        [back, file.madeAtMs.length - 1],
      ]) {
        const stretch = { fromMs: file.madeAtMs[from] + SETTLING_MS, toMs: file.madeAtMs[to] }
        console.log(`${who}: ${expectInSync(file, { clocks, grantedMs: grantedMs + FEW_REPORTS_MS, ...stretch })}`)
      }
    }
  })
})
