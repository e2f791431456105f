import { setTimeout as later } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { PageCodec, SentFigures } from '../peers/browser/publisher-page.ts'
import { ChromiumPeers, type PublisherPage } from '../peers/chromium-publisher.ts'
import { type JudgedFile, judged, MAX_OFFSET_MS } from '../peers/judged-file.ts'
import { recorded } from '../peers/recorded.ts'
import { median } from '../peers/sync-marks.ts'
import { scratch, TapedeckProcess } from '../peers/tapedeck.ts'
import { WhipServer } from '../peers/whip-rig.ts'

const CODECS: readonly PageCodec[] = ['VP8', 'VP9', 'AV1', 'H264']
const PUBLISHED_MS = 60_000
/** Of beeps, that must be within the limit: where the machine is busy, the browser's own devices are not on time. */
const IN_SYNC_SHARE = 0.9
/** What a browser encodes and never sends: when it begins, and when it is silenced. */
const UNSENT_FRAMES = 5
/** Until the best layer is taken. */
const BEGINNING_FRAMES = 20
/** Of simulcast, worst last. */
const LAYERS_BPS = [700_000, 250_000, 100_000]

const place = scratch('whip-codecs')
let server: WhipServer
let peers: ChromiumPeers
beforeAll(async () => {
  peers = await ChromiumPeers.launch()
  server = await WhipServer.start(place.path, peers.origin, '--reconnect-window', '0s')
})
afterAll(async () => {
  await peers?.close()
  await TapedeckProcess.endAll()
  place.drop()
})

/** All four side by side for a minute; what each has sent. */
async function publishAll(page: PublisherPage, suffix: string, simulcast: boolean): Promise<Map<string, SentFigures>> {
  await later(3000) // the clock of the sound is known by then
  const names = CODECS.map((codec) => ({ codec, name: `${codec}${suffix}` }))
  for (const { codec, name } of names) {
    const url = server.whip(name)
    await page.publish(name, { url, codec, simulcast, maxBitratesBps: simulcast ? LAYERS_BPS : LAYERS_BPS.slice(0, 1) })
  }
  await later(PUBLISHED_MS)
  for (const { name } of names) await page.silence(name)
  await later(1500) // what is on its way arrives, what was lost is sent again
  const sent = new Map<string, SentFigures>()
  for (const { name } of names) {
    sent.set(name, await page.sent(name))
    expect(await page.close(name)).toBe(200)
  }
  return sent
}

describe.each([
  { what: 'one encoding', suffix: '-plain', simulcast: false },
  { what: 'three layers', suffix: '-simulcast', simulcast: true },
])('Chromium publishes $what for a minute', ({ suffix, simulcast }) => {
  let sent: Map<string, SentFigures>
  beforeAll(async () => {
    const page = await peers.page({ width: 640, height: 360, rateFps: simulcast ? 20 : 30 })
    sent = await publishAll(page, suffix, simulcast)
    await page.page.close()
  })

  it.each(CODECS)('%s: every frame is in the file, decodes, and sound and picture are as they were', async (codec) => {
    const name = `${codec}${suffix}`
    const [{ report, files }] = await recorded(server.tapedeck, name)
    expect(report).toMatchObject({ state: 'completed', droppedFrames: 0, skippedFrames: 0, nudgedFrames: 0 })
    expect(report.error).toBeUndefined()
    expect(files).toHaveLength(1)
    const file = await judged(files[0])
    console.log(
      `${name}: ${file.videoPackets} pictures, sound ${file.medianLateMs.toFixed(1)} ms late, ` +
        `from ${Math.min(...file.soundLateMs).toFixed(1)} to ${Math.max(...file.soundLateMs).toFixed(1)}`,
    )
    expect(file.marks.complaints).toBe('')
    expect(file.tornPictures).toBe(0)
    expect(file.misplacedPictures).toBe(0)
    expect(file.marks.pictures).toHaveLength(file.videoPackets)
    const figures = report.source?.tracks.find(({ kind }) => kind === 'video')
    expect(figures).toMatchObject({ packetsLost: 0, damagedFrames: 0, undecodableFrames: 0 })
    expectAllFrames(sent.get(name), file)
    expect(file.soundLateMs.length).toBeGreaterThan(50)
    for (const from of [0, 20, 40]) {
      const third = median(file.soundLateMs.slice(from, from + 20))
      expect(Math.abs(third), `${file.soundLateMs}`).toBeLessThanOrEqual(MAX_OFFSET_MS)
    }
    expect(file.inSyncShare, `${file.soundLateMs}`).toBeGreaterThan(IN_SYNC_SHARE)
  })
})

/** Of one encoding every frame; of layers as many as the best one had, but for the time until it began. */
function expectAllFrames(sent: SentFigures | undefined, { videoPackets }: JudgedFile): void {
  const layers = sent?.layers.filter(({ kind }) => kind === 'video') ?? []
  const best = layers.find(({ rid }) => rid === undefined || rid === 'f')?.framesEncoded ?? Number.NaN
  const most = Math.max(...layers.map(({ framesEncoded }) => framesEncoded))
  const layersSaid = layers.map(({ rid, framesEncoded }) => `${rid} ${framesEncoded}`).join(', ')
  expect(videoPackets, layersSaid).toBeGreaterThanOrEqual(best - (layers.length > 1 ? BEGINNING_FRAMES : UNSENT_FRAMES))
  expect(videoPackets, layersSaid).toBeLessThanOrEqual(most)
}
