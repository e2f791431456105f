import { setTimeout as later } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { PageCodec, SentFigures } from '../peers/browser/publisher-page.ts'
import { ChromiumPeers, type PublisherPage } from '../peers/chromium-publisher.ts'
import { judged } from '../peers/judged-file.ts'
import { recorded } from '../peers/recorded.ts'
import { scratch, TapedeckProcess } from '../peers/tapedeck.ts'
import { WhipServer } from '../peers/whip-rig.ts'

const CODECS: readonly PageCodec[] = ['VP8', 'VP9', 'AV1', 'H264']
const PUBLISHED_MS = 60_000
/** What the sound may be late or early. */
const MAX_OFFSET_MS = 20
/** Of simulcast, worst last. */
const LAYERS_BPS = [700_000, 250_000, 100_000]

const place = scratch('whip-codecs')
let server: WhipServer
let peers: ChromiumPeers
beforeAll(async () => {
  peers = await ChromiumPeers.launch()
  server = await WhipServer.start(place.path, peers.origin)
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
    expect(report).toMatchObject({ state: 'completed', error: undefined, droppedFrames: 0 })
    expect(files).toHaveLength(1)
    const file = await judged(files[0])
    expect(file.marks.complaints).toBe('')
    expect(file.tornPictures).toBe(0)
    expect(file.holesMs).toEqual([])
    expect(file.marks.pictures).toHaveLength(file.videoPackets)
    const layers = sent.get(name)?.layers.filter(({ kind }) => kind === 'video') ?? []
    expect(layers).toHaveLength(simulcast ? 3 : 1)
    const best = layers.find(({ rid }) => rid === undefined || rid === 'f')
    const missing = (best?.framesEncoded ?? 0) - file.videoPackets
    // layers may begin one after the other
    expect(Math.abs(missing), `${missing} of ${best?.framesEncoded}`).toBeLessThanOrEqual(simulcast ? 30 : 1)
    expect(file.soundLateMs.length).toBeGreaterThan(50)
    expect(Math.max(...file.soundLateMs.map(Math.abs)), `${file.soundLateMs}`).toBeLessThanOrEqual(MAX_OFFSET_MS)
  })
})
