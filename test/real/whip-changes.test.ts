import { setTimeout as later } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { browserTurn, TURN_TIMEOUT_MS } from '../peers/browser-turn.ts'
import { ChromiumPlayer } from '../peers/chromium.ts'
import { ChromiumPeers } from '../peers/chromium-publisher.ts'
import { pictureWidths } from '../peers/ffmpeg.ts'
import { judged } from '../peers/judged-file.ts'
import { recorded } from '../peers/recorded.ts'
import { scratch, TapedeckProcess } from '../peers/tapedeck.ts'
import { UdpProxies } from '../peers/udp-proxy.ts'
import { until } from '../peers/until.ts'
import { WhipServer } from '../peers/whip-rig.ts'

/** From the change of a viewer's address to the end of its session: 5 s, and the report after them, which browsers write every few, ms. */
const MAX_MOVED_MS = 15_000
/** Between two pictures where a layer was left: half a second, and what encoders take to begin anew on a busy machine, ms. */
const MAX_LEAVING_MS = 1500
const LAYERS_BPS = [600_000, 250_000, 100_000]

const place = scratch('whip-changes')
let server: WhipServer
let peers: ChromiumPeers
let handOn: (() => Promise<void>) | undefined
let player: ChromiumPlayer
let proxies: UdpProxies
beforeAll(async () => {
  handOn = await browserTurn()
  ;[peers, player] = await Promise.all([ChromiumPeers.launch(), ChromiumPlayer.launch()])
  proxies = await UdpProxies.start()
  server = await WhipServer.start(place.path, peers.origin, '--reconnect-window', '0s')
}, TURN_TIMEOUT_MS)
afterAll(async () => {
  await Promise.all([peers?.close(), player?.close(), proxies?.close()])
  await TapedeckProcess.endAll()
  place.drop()
  await handOn?.()
})

/** One file that decodes and plays; the widths that it shows, one after the other. */
async function widthsOf(name: string): Promise<{ widths: number[]; file: Awaited<ReturnType<typeof judged>> }> {
  const [{ report, files }] = await recorded(server.tapedeck, name)
  expect(report.state).toBe('completed')
  expect(files, name).toHaveLength(1)
  const [file, all, played] = await Promise.all([judged(files[0]), pictureWidths(files[0]), player.play(files[0], 4)])
  expect(file.marks.complaints).toBe('')
  expect([file.tornPictures, file.misplacedPictures], name).toEqual([0, 0])
  expect(played.error, name).toBeUndefined()
  expect(played.framesAfterSeek, name).toBeGreaterThan(0)
  return { widths: all.filter((width, i) => width !== all[i - 1]), file }
}

describe.concurrent('Chromium changes what it sends', () => {
  it('a layer of simulcast stops, and comes back', async () => {
    const page = await peers.page({ rateFps: 20 })
    for (const codec of ['VP8', 'H264'] as const) {
      await page.publish(codec, { url: server.whip(codec), codec, simulcast: true, maxBitratesBps: LAYERS_BPS })
    }
    await later(7000)
    for (const name of ['VP8', 'H264']) await page.setActive(name, 'f', false)
    await later(4000)
    for (const name of ['VP8', 'H264']) await page.setActive(name, 'f', true)
    await later(6000)
    for (const name of ['VP8', 'H264']) await page.close(name)
    for (const name of ['VP8', 'H264']) {
      const { widths, file } = await widthsOf(name)
      console.log(`${name}, layer by layer: ${widths}`)
      const best = widths.indexOf(640)
      expect(best).toBeGreaterThanOrEqual(0)
      expect(widths.slice(best, best + 2)).toEqual([640, 320])
      expect(widths.lastIndexOf(640)).toBeGreaterThan(best) // a busy browser may shrink it again
      const steps = file.madeAtMs.slice(1).map((at, i) => at - file.madeAtMs[i])
      expect(Math.max(...steps), name).toBeLessThanOrEqual(MAX_LEAVING_MS)
    }
  })

  it('its size, again and again, in one file', async () => {
    const page = await peers.page({ rateFps: 20 })
    const names = ['VP8', 'VP9', 'AV1', 'H264'] as const
    for (const codec of names) {
      await page.publish(`size-${codec}`, { url: server.whip(`size-${codec}`), codec, maxBitratesBps: [500_000] })
    }
    await later(4000)
    await page.change({ width: 320, height: 180 })
    await later(3000)
    await page.change({ width: 480, height: 270 })
    await later(3000)
    for (const codec of names) await page.close(`size-${codec}`)
    for (const codec of names) {
      const { widths } = await widthsOf(`size-${codec}`)
      console.log(`${codec}, size by size: ${widths}`)
      expect(widths).toContain(320)
      expect(widths.at(-1)).toBe(480)
    }
  })

  it('a viewer whose address changes is let go of soon, is counted, and may watch again', async () => {
    const [page, viewer] = await Promise.all([peers.page({ width: 320, height: 180, rateFps: 20 }), peers.page()])
    await page.publish('roamed', { url: server.whip('roamed'), codec: 'VP8', maxBitratesBps: [300_000] })
    const [url, proxy] = [server.whep('roamed'), await proxies.open(server.udpPort, 7)]
    const seen = (id: string) =>
      until(`${id}: pictures`, async () => (await viewer.received(id)).framesDecoded > 40 || undefined)
    await viewer.watch('before', { url, via: { host: proxy.host, port: proxy.port } })
    const { resource } = await viewer.describe('before')
    await seen('before')
    const movedAtMs = Date.now()
    await proxy.rebind()
    await until('the session to be over', async () => ((await fetch(resource)).status === 404 ? true : undefined))
    const afterMs = Date.now() - movedAtMs
    console.log(`a viewer that moved was let go of after ${afterMs} ms`)
    expect(afterMs).toBeLessThan(MAX_MOVED_MS)
    const { framesDecoded } = await viewer.received('before')
    expect(framesDecoded).toBeLessThan(100) // nothing has arrived since
    await server.tapedeck.says(/nothing of ours has arrived for [\d.]+ s.*a viewer left/)
    const metrics = await (await fetch(`${server.tapedeck.http}/metrics`)).text()
    expect(metrics).toMatch(/^tapedeck_webrtc_viewers_ended_total\{reason="lost"\} 1$/m)
    await viewer.drop('before')
    await viewer.watch('after', { url })
    await seen('after')
    expect([await viewer.close('after'), await page.close('roamed')]).toEqual([200, 200])
  })

  it('what is published is watched by WHEP', async () => {
    const [page, viewer] = await Promise.all([peers.page({ width: 320, height: 180, rateFps: 20 }), peers.page()])
    for (const codec of ['VP8', 'H264'] as const) {
      await page.publish(`seen-${codec}`, { url: server.whip(`seen-${codec}`), codec, maxBitratesBps: [300_000] })
      await viewer.watch(codec, { url: server.whep(`seen-${codec}`) })
    }
    for (const codec of ['VP8', 'H264']) {
      const seen = await until(`${codec} to be seen and heard`, async () => {
        const now = await viewer.received(codec)
        return now.framesDecoded > 60 && now.audioEnergy > 0 ? now : undefined
      })
      expect(seen).toMatchObject({ frameWidth: 320, frameHeight: 180, state: 'connected' })
      expect(await viewer.close(codec)).toBe(200)
      await page.close(`seen-${codec}`)
    }
  })
})

it('Chromium sends spatial layers in one encoding: each picture is in the file with all of them', async () => {
  const page = await peers.page({ rateFps: 20 })
  const codecs = ['VP9', 'AV1'] as const
  for (const codec of codecs) {
    const layered = { codec, scalabilityMode: 'L3T3', maxBitratesBps: [1_200_000] }
    await page.publish(`svc-${codec}`, { url: server.whip(`svc-${codec}`), ...layered })
  }
  await later(5000)
  const encoded = await Promise.all(codecs.map((codec) => page.sent(`svc-${codec}`)))
  for (const codec of codecs) await page.close(`svc-${codec}`)
  for (const [i, codec] of codecs.entries()) {
    const [{ report, files }] = await recorded(server.tapedeck, `svc-${codec}`)
    const figures = report.source?.tracks.find(({ kind }) => kind === 'video')
    expect(figures, codec).toMatchObject({ damagedFrames: 0, undecodableFrames: 0, packetsLost: 0 })
    const [file, played] = await Promise.all([judged(files[0]), player.play(files[0], 3)])
    expect([file.marks.complaints, file.tornPictures, file.videoPackets], codec).toEqual(['', 0, figures?.frames])
    expect(played.error, codec).toBeUndefined()
    expect(played.framesAfterSeek, codec).toBeGreaterThan(0)
    // Chromium counts each layer of a picture as a frame
    const layers = encoded[i].layers.find(({ kind }) => kind === 'video')?.framesEncoded ?? 0
    console.log(
      `${codec} L3T3: ${layers} layers of ${file.videoPackets} pictures, ${file.marks.pictures.length} shown by ffmpeg`,
    )
    expect(layers).toBeGreaterThan(1.2 * file.videoPackets)
  }
})
