import { join } from 'node:path'
import { setTimeout as later } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { SourceTrackFigures } from '../../src/media/source-report.ts'
import type { PageCodec, SentFigures, SoundClock } from '../peers/browser/publisher-page.ts'
import { browserTurn, TURN_TIMEOUT_MS } from '../peers/browser-turn.ts'
import { ChromiumPeers, type PublisherPage } from '../peers/chromium-publisher.ts'
import { expectInSync, type JudgedFile, judged, together } from '../peers/judged-file.ts'
import { type Recorded, recorded } from '../peers/recorded.ts'
import { Starvation } from '../peers/starvation.ts'
import { scratch, TapedeckProcess } from '../peers/tapedeck.ts'
import type { StreamCounts } from '../peers/udp-impairment.ts'
import { type Impairments, type ProxyCounts, UdpProxies, type UdpProxy } from '../peers/udp-proxy.ts'
import { until } from '../peers/until.ts'
import { WhipServer } from '../peers/whip-rig.ts'

const PUBLISHED_MS = 45_000
const both = (impairment: Impairments['up'] & object): Impairments => ({ up: impairment, down: impairment })
const HALF_RTT_MS = 50
const ODD_PACKETS = 2
/** What a browser encodes and never sends: when it begins, and when it is silenced. */
const UNSENT_FRAMES = 5
/** Until sender reports have told how sound and picture lie to each other, also where some are lost, ms. */
const SETTLING_MS = 10_000
/** When the network library would give up whom it does not reach, at the earliest. */
const ICE_CONSENT_MS = 24_000

type Scenario = {
  readonly codec: PageCodec
  readonly network: Impairments
  /** What happens in the middle. */
  readonly event?: (proxy: UdpProxy) => Promise<void>
}

const SCENARIOS = {
  'loss-1': { codec: 'VP9', network: both({ loss: 0.01 }) },
  'loss-5': { codec: 'VP8', network: both({ loss: 0.05, delayMs: HALF_RTT_MS }) },
  'loss-5-h264': { codec: 'H264', network: both({ loss: 0.05, delayMs: HALF_RTT_MS }) },
  'loss-10': { codec: 'VP8', network: both({ loss: 0.1 }) },
  bursts: { codec: 'H264', network: both({ burst: { everyMs: 6000, lengthMs: 200 }, delayMs: 10 }) },
  disorder: { codec: 'VP8', network: both({ reorder: 0.05, duplicate: 0.05, delayMs: 5 }) },
  jitter: { codec: 'VP8', network: both({ jitterMs: [100, 300] }) },
  outage: { codec: 'VP8', network: {}, event: (proxy) => proxy.outage(5000) },
} satisfies Record<string, Scenario>
type Name = keyof typeof SCENARIOS
const names = Object.keys(SCENARIOS).filter((name): name is Name => name in SCENARIOS)

type Outcome = { readonly sent: SentFigures; readonly counts: ProxyCounts }

const place = scratch('whip-network')
const outcomes = new Map<Name, Outcome>()
let server: WhipServer
let peers: ChromiumPeers
let handOn: (() => Promise<void>) | undefined
let proxies: UdpProxies
let roaming: WhipServer
let clocks: readonly SoundClock[] = []
let grantedMs = 0
const files = new Map<Name, JudgedFile>()
/** When its address changed, and when the session was given up, ms since 1970. */
const moved = { atMs: 0, endedAtMs: 0 }

beforeAll(async () => {
  handOn = await browserTurn()
  peers = await ChromiumPeers.launch()
  proxies = await UdpProxies.start()
  server = await WhipServer.start(join(place.path, 'still'), peers.origin, '--reconnect-window', '0s')
  roaming = await WhipServer.start(join(place.path, 'roaming'), peers.origin, '--reconnect-window', '8s')
  const page = await peers.page({ width: 320, height: 180, rateFps: 20, freshRows: 60 })
  await later(3000)
  const starvation = new Starvation()
  await Promise.all([...names.map((name, i) => run(page, name, i + 1)), move(page)])
  grantedMs = starvation.stop()
  clocks = await page.soundClocks()
  await peers.close() // files are looked at in peace
  for (const name of names) files.set(name, await judged((await recorded(server.tapedeck, name))[0].files[0]))
}, TURN_TIMEOUT_MS)
afterAll(async () => {
  await peers?.close()
  await proxies?.close()
  await TapedeckProcess.endAll()
  place.drop()
  await handOn?.()
})

async function run(page: PublisherPage, name: Name, seed: number): Promise<void> {
  const { codec, network, event }: Scenario = SCENARIOS[name]
  const proxy = await proxies.open(server.udpPort, seed)
  const via = { host: proxy.host, port: proxy.port }
  await page.publish(name, { url: server.whip(name), codec, via, maxBitratesBps: [700_000] })
  await proxy.impair(network)
  await later(PUBLISHED_MS / 2)
  await event?.(proxy)
  await later(PUBLISHED_MS / 2)
  await page.silence(name)
  await later(2500) // what was lost is asked for and sent again
  const [sent, counts] = await Promise.all([page.sent(name), proxy.counts()])
  outcomes.set(name, { sent, counts })
  await page.close(name)
}

/**
 * In the middle the browser seems to come from elsewhere, as behind a NAT that has forgotten it. It goes on to be heard, and hears
 * nothing any more. When its session is over, it publishes again.
 */
async function move(page: PublisherPage): Promise<void> {
  const proxy = await proxies.open(roaming.udpPort, 99)
  const options = { url: roaming.whip('moved'), codec: 'H264', maxBitratesBps: [300_000] } as const
  await page.publish('moved', { ...options, via: { host: proxy.host, port: proxy.port } })
  const { resource } = await page.describe('moved')
  await later(6000)
  moved.atMs = Date.now()
  await proxy.rebind()
  await until('the session to be over', async () => ((await fetch(resource)).status === 404 ? true : undefined))
  moved.endedAtMs = Date.now()
  await page.drop('moved')
  await page.publish('moved', options)
  await later(8000)
  await page.close('moved')
}

/** What is in the file, beside what was sent and what the network did with it. */
async function result(name: Name) {
  const outcome = outcomes.get(name)
  const file = files.get(name)
  if (outcome === undefined || file === undefined) throw new Error(`${name} did not run`)
  const [recording] = await recorded(server.tapedeck, name)
  expect(recording.report.state).toBe('completed')
  expect(recording.files).toHaveLength(1)
  const video = figuresOf(recording, 'video')
  const layer = outcome.sent.layers.find(({ kind }) => kind === 'video')
  const stream = outcome.counts.up.streams.find(({ ssrc }) => ssrc === layer?.ssrc)
  if (layer === undefined || stream === undefined) throw new Error(`${name} sent no video`)
  console.log(
    `${name}: ${layer.packetsSent} packets, of these lost on the way ${stream.dropped}, told lost ${video.packetsLost}, ` +
      `recovered ${video.packetsRecovered}; NACK ${video.nacks}, PLI ${video.plis}, RTX ${video.rtx}; ` +
      `${layer.framesEncoded} frames, in the file ${file.videoPackets}, left out ${video.undecodableFrames}, ` +
      `damaged ${video.damagedFrames}; holes ${file.holesMs}`,
  )
  // reports of the first seconds may have been lost, and what they tell is eased over
  const fromMs = file.sound[0].atMs + SETTLING_MS
  console.log(
    `${name}: ${expectInSync(file, { clocks, grantedMs, late: together([...files.values()], grantedMs), fromMs })}`,
  )
  expect(file.marks.complaints).toBe('')
  expect([file.tornPictures, file.misplacedPictures]).toEqual([0, 0])
  return { ...outcome, recording, file, video, layer, stream }
}

function figuresOf({ report }: Recorded, kind: 'video' | 'audio'): SourceTrackFigures {
  const figures = report.source?.tracks.find((track) => track.kind === kind)
  if (figures === undefined) throw new Error(`the report has no figures of ${kind}`)
  return figures
}

/** What the report says was lost, for good or for a while, is what the network lost: but for one that came twice, or first. */
function expectLossAgrees({ packetsLost, packetsRecovered, rtx }: SourceTrackFigures, stream: StreamCounts): void {
  const [told, lost] = [packetsLost + packetsRecovered, stream.dropped - stream.droppedLast]
  expect(Math.abs(told - lost), `told ${told}, lost ${lost}`).toBeLessThanOrEqual(ODD_PACKETS)
  expect(rtx).toBeGreaterThanOrEqual(packetsRecovered)
}

function expectWhole(file: JudgedFile, framesEncoded: number, missing = 0): void {
  expect(file.videoPackets).toBeGreaterThanOrEqual(framesEncoded - UNSENT_FRAMES - missing)
  expect(file.videoPackets).toBeLessThanOrEqual(framesEncoded)
}

describe('Chromium publishes over a bad network', () => {
  it.each(['loss-1', 'loss-5', 'loss-5-h264'] as const)(
    '%s: 99.9 per cent of all packets are in the file',
    async (name) => {
      const { file, video, layer, stream, recording } = await result(name)
      expect(stream.dropped).toBeGreaterThan(layer.packetsSent * 0.005)
      expectLossAgrees(video, stream)
      const sound = figuresOf(recording, 'audio')
      const lost = (video.packetsLost + sound.packetsLost) / (video.packets + sound.packets)
      expect(lost).toBeLessThanOrEqual(0.001)
      expectWhole(file, layer.framesEncoded, video.damagedFrames + video.undecodableFrames)
    },
  )

  it.each(['loss-10', 'bursts'] as const)('%s: what is missing is told', async (name) => {
    const { file, video, layer, stream } = await result(name)
    expectLossAgrees(video, stream)
    expectWhole(file, layer.framesEncoded, video.damagedFrames + video.undecodableFrames + video.packetsLost)
  })

  it.each(['disorder', 'jitter'] as const)('%s: nothing is lost', async (name) => {
    const { file, video, layer } = await result(name)
    expect(video.packetsLost).toBe(0)
    expectWhole(file, layer.framesEncoded)
  })

  it('an outage of 5 s: the same file goes on, with a hole that is told', async () => {
    const { file, recording } = await result('outage')
    expect(file.holesMs).toHaveLength(1)
    expect(file.holesMs[0]).toBeGreaterThan(3000)
    expect(file.holesMs[0]).toBeLessThan(9000)
    expect(recording.report.source?.losses.some(({ lengthMs }) => lengthMs > 3000)).toBe(true)
  })

  it('an address that changes: given up soon, with a reason, and the same recording goes on', async () => {
    const [{ report, files }] = await recorded(roaming.tapedeck, 'moved')
    expect(report.state).toBe('completed')
    expect(report.earlierSources?.listed).toMatchObject([{ fault: { code: 'TD_SOURCE_DEAF' } }])
    expect(report.source?.fault).toBeUndefined()
    expect(files).toHaveLength(1)
    const file = await judged(files[0])
    expect(file.marks.complaints).toBe('')
    expect([file.tornPictures, file.misplacedPictures]).toEqual([0, 0])
    const again = file.madeAtMs.filter((ms) => ms > moved.endedAtMs).length
    const afterMs = moved.endedAtMs - moved.atMs
    console.log(`moved: given up after ${afterMs} ms, and ${again} pictures afterwards`)
    expect(again).toBeGreaterThan(20)
    expect(afterMs).toBeLessThan(ICE_CONSENT_MS)
  })
})
