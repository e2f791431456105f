import { setTimeout as later } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { PageCodec, SentFigures, SoundClock } from '../peers/browser/publisher-page.ts'
import { browserTurn, TURN_TIMEOUT_MS } from '../peers/browser-turn.ts'
import { ChromiumPeers } from '../peers/chromium-publisher.ts'
import { expectInSync, type JudgedFile, judged, STARVED_MS, together } from '../peers/judged-file.ts'
import { recorded } from '../peers/recorded.ts'
import { Starvation } from '../peers/starvation.ts'
import { scratch, TapedeckProcess } from '../peers/tapedeck.ts'
import { WhipServer } from '../peers/whip-rig.ts'

const CODECS: readonly PageCodec[] = ['VP8', 'VP9', 'AV1', 'H264']
const KINDS = [
  { what: 'one encoding', suffix: '-plain', simulcast: false },
  { what: 'three layers', suffix: '-simulcast', simulcast: true },
] as const
const PUBLISHED_MS = 60_000
const THIRD_MS = PUBLISHED_MS / 3
const MOST_BEEPS = 50
/** Until the first reports of the sender have come, picture and sound are laid by when they came, ms. */
const SETTLING_MS = 4000
const SETTLING_LATE_MS = 40
/** Of which sound and picture are compared, where the browser was kept from its work. */
const FEW_BEEPS = 3
/** A browser that stops a layer, or all, throws away what has not left yet: the end of a frame, and no number is missing. */
const TORN_FRAMES = 10
const RATE_FPS = 15
/** What a browser encodes and never sends: when it begins, and when it is silenced. */
const UNSENT_FRAMES = 5
/** Until the best layer is taken: it begins when the browser knows that there is room for it. */
const BEGINNING_FRAMES = 3 * RATE_FPS
/** Of simulcast, worst last. */
const LAYERS_BPS = [500_000, 200_000, 80_000]

const place = scratch('whip-codecs')
let server: WhipServer
let peers: ChromiumPeers
let handOn: (() => Promise<void>) | undefined
beforeAll(async () => {
  handOn = await browserTurn()
  peers = await ChromiumPeers.launch()
  server = await WhipServer.start(place.path, peers.origin, '--reconnect-window', '0s')
  await publishAll()
}, TURN_TIMEOUT_MS)
afterAll(async () => {
  await peers?.close()
  await TapedeckProcess.endAll()
  place.drop()
  await handOn?.()
})

/** All codecs, with and without layers, side by side for a minute; what each has sent. */
const sent = new Map<string, SentFigures>()
const clocks = new Map<string, readonly SoundClock[]>()
const files = new Map<string, JudgedFile>()
const late = new Map<string, ReadonlySet<number>>()
let grantedMs = 0

async function publishAll(): Promise<void> {
  const pages = await Promise.all([
    peers.page({ width: 320, height: 180, rateFps: RATE_FPS }),
    peers.page({ width: 640, height: 360, rateFps: RATE_FPS }),
  ])
  await later(3000) // the clocks of the sound are known by then
  const all = KINDS.flatMap((kind, i) => CODECS.map((codec) => ({ ...kind, codec, page: pages[i] })))
  for (const { codec, suffix, simulcast, page } of all) {
    const name = `${codec}${suffix}`
    const maxBitratesBps = simulcast ? LAYERS_BPS : LAYERS_BPS.slice(0, 1)
    await page.publish(name, { url: server.whip(name), codec, simulcast, maxBitratesBps })
  }
  const starvation = new Starvation()
  await later(PUBLISHED_MS)
  grantedMs = starvation.stop()
  for (const { codec, suffix, page } of all) await page.silence(`${codec}${suffix}`)
  await later(1500) // what is on its way arrives, what was lost is sent again
  for (const { codec, suffix, page } of all) {
    const name = `${codec}${suffix}`
    sent.set(name, await page.sent(name))
    expect(await page.close(name)).toBe(200)
  }
  for (const [i, { suffix }] of KINDS.entries()) clocks.set(suffix, await pages[i].soundClocks())
  await peers.close() // files are looked at in peace
  for (const { suffix } of KINDS) {
    const names = CODECS.map((codec) => `${codec}${suffix}`)
    for (const name of names) files.set(name, await judged((await recorded(server.tapedeck, name))[0].files[0]))
    late.set(
      suffix,
      together(
        names.flatMap((name) => files.get(name) ?? []),
        grantedMs,
      ),
    )
  }
}

describe.each(KINDS)('Chromium publishes $what for a minute', ({ suffix }) => {
  it.each(CODECS)('%s: every frame is in the file, decodes, and sound and picture are as they were', async (codec) => {
    const name = `${codec}${suffix}`
    const [{ report, files: paths }] = await recorded(server.tapedeck, name)
    const file = files.get(name)
    if (file === undefined) throw new Error(`${name} was not looked at`)
    expect(report).toMatchObject({ state: 'completed', droppedFrames: 0, skippedFrames: 0, nudgedFrames: 0 })
    expect(report.error).toBeUndefined()
    expect(paths).toHaveLength(1)
    expect(file.marks.complaints).toBe('')
    // an encoder that is short of time may make one of which the time cannot be read
    expect(file.tornPictures).toBeLessThanOrEqual(grantedMs > STARVED_MS ? 1 : 0)
    expect(file.misplacedPictures).toBe(0)
    expect(file.marks.pictures).toHaveLength(file.videoPackets)
    const figures = report.source?.tracks.find(({ kind }) => kind === 'video')
    expect(figures).toMatchObject({ packetsLost: 0, undecodableFrames: 0 })
    expect(figures?.damagedFrames).toBeLessThanOrEqual(suffix === '-plain' ? 1 : TORN_FRAMES)
    expectAllFrames(sent.get(name), file)
    const from = file.sound[0].atMs
    const terms = { clocks: clocks.get(suffix) ?? [], grantedMs, late: late.get(suffix) ?? new Set() }
    const thirds = [0, 1, 2].map((third) => ({
      fromMs: from + (third === 0 ? SETTLING_MS : third * THIRD_MS),
      toMs: from + (third + 1) * THIRD_MS,
    }))
    const early = file.sound.filter(({ atMs }) => atMs < from + SETTLING_MS).map(({ lateMs }) => Math.abs(lateMs))
    const middle = early.sort((one, other) => one - other)[Math.floor(early.length / 2)]
    expect(middle, `sound at the beginning: ${early}`).toBeLessThanOrEqual(SETTLING_LATE_MS + grantedMs)
    const stretches = grantedMs > STARVED_MS ? [{ fromMs: from }] : thirds
    const said = stretches.map((stretch) => expectInSync(file, { ...terms, ...stretch }))
    const counted = file.sound.filter(({ atMs }) => !terms.late.has(atMs)).length
    expect(counted).toBeGreaterThan(grantedMs > STARVED_MS ? FEW_BEEPS : MOST_BEEPS)
    console.log(`${name}: ${file.videoPackets} pictures; ${said.join('; ')}`)
  })
})

/** Of one encoding every frame; of layers as many as the best one had, but for the time until it began. */
function expectAllFrames(of: SentFigures | undefined, { videoPackets }: JudgedFile): void {
  const layers = of?.layers.filter(({ kind }) => kind === 'video') ?? []
  const best = layers.find(({ rid }) => rid === undefined || rid === 'f')
  if (best === undefined) throw new Error('no video was sent')
  const most = Math.max(...layers.map(({ framesEncoded }) => framesEncoded))
  const said = layers.map((layer) => `${layer.rid} ${layer.framesEncoded}, sent ${layer.framesSent}`).join('; ')
  const unsent = Math.max(UNSENT_FRAMES, best.framesEncoded - best.framesSent)
  expect(videoPackets, said).toBeGreaterThanOrEqual(
    best.framesEncoded - (layers.length > 1 ? BEGINNING_FRAMES : 0) - unsent,
  )
  expect(videoPackets, said).toBeLessThanOrEqual(most)
}
