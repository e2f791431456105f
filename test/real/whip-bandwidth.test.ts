import { afterAll, beforeAll, expect, it } from 'vitest'
import { ChromiumPeers, type PublisherPage } from '../peers/chromium-publisher.ts'
import { decodingFaults } from '../peers/decoding.ts'
import { probe } from '../peers/ffmpeg.ts'
import { recorded } from '../peers/recorded.ts'
import { scratch, TapedeckProcess } from '../peers/tapedeck.ts'
import { until } from '../peers/until.ts'
import { WhipServer } from '../peers/whip-rig.ts'

/** Chromium begins with 300 kbit/s, and would send up to 1.7 Mbit/s of pictures of this size. */
const MAX_BITRATE_BPS = 1_200_000
const REACHED = 0.9

const place = scratch('whip-bandwidth')
let server: WhipServer
let peers: ChromiumPeers
beforeAll(async () => {
  peers = await ChromiumPeers.launch()
  const bitrate = ['--webrtc-max-bitrate', String(MAX_BITRATE_BPS), '--reconnect-window', '0s']
  server = await WhipServer.start(place.path, peers.origin, ...bitrate)
})
afterAll(async () => {
  await peers?.close()
  await TapedeckProcess.endAll()
  place.drop()
})

/** Resolves when Chromium sends as much as it may; never more. */
async function reached(page: PublisherPage, name: string): Promise<void> {
  await until(`${name} at its maximum`, async () => {
    const { layers } = await page.sent(name)
    const target = layers.find(({ kind }) => kind === 'video')?.targetBitrateBps ?? 0
    expect(target).toBeLessThanOrEqual(MAX_BITRATE_BPS)
    return target >= REACHED * MAX_BITRATE_BPS ? true : undefined
  })
}

it('Chromium sends as much as it may, by transport-wide feedback and by REMB alone; its G.711 is kept', async () => {
  const page = await peers.page({ width: 640, height: 360, rateFps: 20, freshRows: 90 })
  await page.publish('twcc', { url: server.whip('twcc'), codec: 'VP8', audioCodec: 'PCMU' })
  await page.publish('remb', { url: server.whip('remb'), codec: 'H264', audioCodec: 'PCMA', withoutTransportCc: true })
  await Promise.all([reached(page, 'twcc'), reached(page, 'remb')])
  for (const name of ['twcc', 'remb']) await page.close(name)
  for (const [name, codecs] of [
    ['twcc', ['pcm_mulaw', 'vp8']],
    ['remb', ['h264', 'pcm_alaw']],
  ] as const) {
    const [{ report, files }] = await recorded(server.tapedeck, name)
    expect(report.source?.tracks.find(({ kind }) => kind === 'video')).toMatchObject({ packetsLost: 0 })
    const { streams } = await probe(files[0])
    expect(streams.map(({ codec_name }) => codec_name).toSorted()).toEqual(codecs)
    const faults = (await decodingFaults(files[0])).split('\n')
    expect(faults.filter((line) => line !== '' && !line.startsWith('Guessed Channel Layout'))).toEqual([])
  }
})
