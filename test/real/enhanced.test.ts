import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ChromiumPlayer } from '../peers/chromium.ts'
import { decodingFaults } from '../peers/decoding.ts'
import { type OutgoingTrack, publisher, sendTracks } from '../peers/enhanced-publisher.ts'
import { CODED_FRAMES, enhanced, SEQUENCE_START } from '../peers/enhanced-tags.ts'
import { packetsOf, probe } from '../peers/ffmpeg.ts'
import { enhancedFlvTracks } from '../peers/flv-payloads.ts'
import { expectInspectAgrees, inspected } from '../peers/inspected.ts'
import { expectNothingLost, type Recorded, recorded } from '../peers/recorded.ts'
import { type Extent, elementary, type SampleCodec } from '../peers/samples.ts'
import { expectSame, md5, tracksOf, tracksOfAll } from '../peers/sent-tracks.ts'
import { scratch, TapedeckProcess } from '../peers/tapedeck.ts'

const LONG: Extent = { seconds: 16, size: '640x360', rate: 30 }
const FORMATS = ['mp4', 'mkv', 'flv'] as const
const place = scratch('enhanced')
const servers = new Map<string, TapedeckProcess>()
let chromium: ChromiumPlayer

beforeAll(async () => {
  for (const format of FORMATS) {
    const flags = ['--record-format', format, '--record-report']
    servers.set(format, await TapedeckProcess.start(join(place.path, format), ...flags))
  }
  chromium = await ChromiumPlayer.launch()
})
afterAll(async () => {
  await chromium?.close()
  for (const server of servers.values()) expect(await server.end()).toBe(0)
  place.drop()
})

const VIDEO = { h264: 'avc1', hevc: 'hvc1', av1: 'av01', vp9: 'vp09' } as const
const AUDIO = { aac: 'mp4a', opus: 'Opus', mp3: '.mp3', ac3: 'ac-3', flac: 'fLaC' } as const

async function outgoing(codec: SampleCodec, extent?: Extent, trackId?: number): Promise<OutgoingTrack> {
  const stream = await elementary(codec, extent)
  const id = trackId === undefined ? {} : { trackId }
  if (codec in VIDEO) return { kind: 'video', fourCc: VIDEO[codec as keyof typeof VIDEO], stream, ...id }
  return { kind: 'audio', fourCc: AUDIO[codec as keyof typeof AUDIO], stream, ...id }
}

function serverOf(format: string): TapedeckProcess {
  const server = servers.get(format)
  if (server === undefined) throw new Error(`no server records ${format}`)
  return server
}

/** Publishes `tracks` to the server that records `format`; what became of it, with nothing lost. */
async function record(format: string, name: string, tracks: readonly OutgoingTrack[]): Promise<Recorded> {
  const server = serverOf(format)
  const wire = await publisher(server.rtmpPort, 'live', name)
  await sendTracks(wire, tracks, 1000)
  await wire.end()
  const [recording] = await recorded(server, name)
  expectNothingLost(recording)
  expect(recording.files).toHaveLength(1)
  return recording
}

const PAIRS = [
  ['hevc', 'aac', LONG],
  ['av1', 'opus', LONG],
  ['vp9', 'opus', LONG],
  ['hevc', 'ac3', undefined],
  ['h264', 'flac', undefined],
  ['h264', 'mp3', undefined],
] as const

describe.each(PAIRS)('%s and %s', (video, audio, extent) => {
  const tracks = () => Promise.all([outgoing(video, extent), outgoing(audio, extent)])

  it.each(['mp4', 'mkv'])('in %s: every packet, at its time', async (format) => {
    const sent = await tracks()
    const {
      files: [file],
    } = await record(format, `${video}-${audio}`, sent)
    const theirs = await tracksOfAll(sent.map(({ stream }) => stream.path))
    // Matroska stores no dts: ffprobe makes them up from the pts
    expectSame(tracksOf(await packetsOf(file)), theirs, format === 'mkv' ? ['pts'] : ['pts', 'dts'])
    expect(await decodingFaults(file)).toBe('')
    await expectInspectAgrees(file)
    const { streams } = await probe(file)
    expect(streams).toMatchObject([{ codec_name: video }, { codec_name: audio }])
    if (extent === undefined || video === 'hevc') return
    const played = await chromium.play(file, 12)
    expect(played).toMatchObject({ error: undefined, width: 640, height: 360 })
    expect(played.durationSeconds).toBeCloseTo(extent.seconds, 0)
    expect(played.framesAfterSeek).toBeGreaterThan(5)
  })

  it('in flv: every packet, at its time', async () => {
    const sent = await tracks()
    const {
      files: [file],
    } = await record('flv', `${video}-${audio}`, sent)
    // ffmpeg 5.1 cannot read these
    expectSame(enhancedFlvTracks(readFileSync(file)), await tracksOfAll(sent.map(({ stream }) => stream.path)))
    const { tracks: found } = await inspected(file)
    expect(found.map(({ codec }) => codec).sort()).toEqual([video, audio].sort())
    expect(found.map(({ samples }) => samples).sort()).toEqual(sent.map(({ stream }) => stream.samples.length).sort())
  })
})

describe('nanoseconds of ModEx', () => {
  it.each([
    ['mp4', 1e-6],
    ['mkv', 0.001],
  ])('reach the %s as far as it counts', async (format, toleranceSeconds) => {
    const { config, samples } = await elementary('vp9')
    const server = serverOf(format)
    const wire = await publisher(server.rtmpPort, 'live', 'modex')
    const what = { kind: 'video', fourCc: 'vp09' } as const
    wire.video(0, enhanced({ ...what, packetType: SEQUENCE_START, data: config }))
    // a true 60000/1001 frames per second, which milliseconds alone cannot say
    const timesNs = samples.map((_, i) => Math.round((i * 1001 * 1e9) / 60_000))
    samples.forEach(({ data, key }, i) => {
      const packet = { ...what, packetType: CODED_FRAMES, frameType: key ? 1 : 2, data, nanos: timesNs[i] % 1_000_000 }
      wire.video(Math.floor(timesNs[i] / 1_000_000), enhanced(packet))
    })
    await wire.end()
    const [recording] = await recorded(server, 'modex')
    expectNothingLost(recording)
    const packets = await packetsOf(recording.files[0])
    expect(packets.map(({ hash }) => hash)).toEqual(samples.map(({ data }) => md5(data)))
    packets.forEach(({ pts }, i) => {
      expect(Math.abs(pts - timesNs[i] / 1e9), `frame ${i}`).toBeLessThanOrEqual(toleranceSeconds)
    })
  })
})

describe('several tracks of one publisher', () => {
  it.each(['mp4', 'mkv'])('are tracks of one %s, with all packets', async (format) => {
    const sent = await Promise.all([
      outgoing('hevc'),
      outgoing('vp9', undefined, 1),
      outgoing('aac'),
      outgoing('opus', undefined, 1),
    ])
    const {
      files: [file],
    } = await record(format, 'many', sent)
    const theirs = await tracksOfAll(sent.map(({ stream }) => stream.path))
    expect(theirs.video.length).toBe(2)
    expectSame(tracksOf(await packetsOf(file)), theirs, format === 'mkv' ? ['pts'] : ['pts', 'dts'])
    expect(await decodingFaults(file)).toBe('')
    await expectInspectAgrees(file)
    const names = (await probe(file)).streams.map(({ codec_name }) => codec_name)
    // VP9 says what it is in its first frame: the file has begun by then
    expect(names).toEqual(['hevc', 'aac', 'opus', 'vp9'])
  })
})
