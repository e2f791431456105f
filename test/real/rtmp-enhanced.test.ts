import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  CODED_FRAMES,
  CODED_FRAMES_X,
  type EnhancedPacket,
  enhanced,
  manyTracks,
  SEQUENCE_END,
  SEQUENCE_START,
} from '../peers/enhanced-tags.ts'
import { type Follower, Relay, type SeenFrame } from '../peers/relay.ts'
import { RtmpWire } from '../peers/rtmp-wire.ts'
import { type Elementary, elementary, type Sample } from '../peers/samples.ts'

let relay: Relay

beforeAll(async () => {
  relay = await Relay.start()
})
afterAll(() => relay.close())

async function publisher(name: string): Promise<RtmpWire> {
  const wire = await RtmpWire.open(relay.port)
  await wire.app('live', { fourCcList: ['hvc1', 'av01', 'vp09', 'Opus', 'ac-3', 'fLaC'].join(), capsEx: 14 })
  wire.setChunkSize(4000)
  await wire.publish(name)
  return wire
}

interface Sent {
  readonly kind: 'video' | 'audio'
  readonly fourCc: string
  readonly trackId?: number
}

/** The sequence header, if the codec has one, then every sample; the first decoding time becomes 100 ms. */
function send(wire: RtmpWire, what: Sent, { config, samples }: Elementary): void {
  const put = (timestamp: number, body: Buffer) =>
    what.kind === 'video' ? wire.video(timestamp, body) : wire.audio(timestamp, body)
  if (config.length > 0) put(100, enhanced({ ...what, packetType: SEQUENCE_START, data: config }))
  for (const sample of samples) put(timeOf(sample, samples), enhanced(coded(what, sample)))
  put(
    timeOf(samples[samples.length - 1], samples),
    enhanced({ ...what, packetType: SEQUENCE_END, data: Buffer.alloc(0) }),
  )
}

const timeOf = (sample: Sample, samples: readonly Sample[]) => sample.dtsMs - samples[0].dtsMs + 100

/** CodedFramesX where that says the same (E-RTMP v2 enum VideoPacketType). */
function coded(what: Sent, { ptsMs, dtsMs, key, data }: Sample): EnhancedPacket {
  const withTime = what.kind === 'audio' || ptsMs !== dtsMs || what.fourCc !== 'hvc1'
  const packetType = withTime ? CODED_FRAMES : CODED_FRAMES_X
  return { ...what, packetType, frameType: key ? 1 : 2, compositionTimeMs: ptsMs - dtsMs, data }
}

const md5 = (data: Buffer) => `MD5:${createHash('md5').update(data).digest('hex')}`

function expectSamples(seen: readonly SeenFrame[], { samples }: Elementary): void {
  expect(seen.map(({ hash }) => hash)).toEqual(samples.map(({ data }) => md5(data)))
  expect(seen.map(({ key }) => key)).toEqual(samples.map(({ key }) => key))
  expect(seen.map(({ dts, track }) => (dts * 1000) / track.timescale)).toEqual(samples.map((s) => timeOf(s, samples)))
  expect(seen.map(({ dts, pts, track }) => ((pts - dts) * 1000) / track.timescale)).toEqual(
    samples.map(({ dtsMs, ptsMs }) => ptsMs - dtsMs),
  )
}

async function finished(wire: RtmpWire, name: string): Promise<Follower> {
  const follower = await relay.follower(name)
  await wire.end()
  await follower.ended
  return follower
}

describe('enhanced RTMP', () => {
  it.each([
    ['hevc', 'hvc1', { codec: 'hevc', width: 320, height: 180 }],
    ['av1', 'av01', { codec: 'av1', width: 320, height: 180 }],
    ['vp9', 'vp09', { codec: 'vp9', width: 320, height: 180 }],
    ['h264', 'avc1', { codec: 'h264', width: 320, height: 180 }],
    ['opus', 'Opus', { codec: 'opus', sampleRateHz: 48000, channels: 2 }],
    ['ac3', 'ac-3', { codec: 'ac3', sampleRateHz: 48000, channels: 2 }],
    ['flac', 'fLaC', { codec: 'flac', sampleRateHz: 48000, channels: 2 }],
  ] as const)('brings %s, sample for sample', async (codec, fourCc, facts) => {
    const stream = await elementary(codec)
    const wire = await publisher(codec)
    const kind = 'width' in facts ? 'video' : 'audio'
    send(wire, { kind, fourCc }, stream)
    const follower = await finished(wire, codec)
    expect(follower.tracks).toMatchObject([{ ...facts, epoch: 0, timescale: 1_000_000 }])
    if (codec !== 'ac3') expect(Buffer.from(follower.tracks[0].config)).toEqual(stream.config)
    expectSamples(follower.frames, stream)
  })

  it('brings AV1 with a temporal delimiter before every unit, without it', async () => {
    const stream = await elementary('av1')
    const wire = await publisher('delimited')
    const delimited = stream.samples.map((s) => ({ ...s, data: Buffer.concat([Buffer.from([0x12, 0]), s.data]) }))
    send(wire, { kind: 'video', fourCc: 'av01' }, { ...stream, samples: delimited })
    const follower = await finished(wire, 'delimited')
    expectSamples(follower.frames, stream)
  })

  it('brings several tracks in one stream, each on its own, one by one and many in a message', async () => {
    const [hevc, vp9, opus] = await Promise.all([elementary('hevc'), elementary('vp9'), elementary('opus')])
    const wire = await publisher('many')
    send(wire, { kind: 'video', fourCc: 'hvc1' }, hevc)
    const second = { kind: 'video', fourCc: 'hvc1', trackId: 1 } as const
    send(wire, second, hevc)
    // the same VP9 twice in each message, as two tracks with two FourCCs' worth of header
    const pair = (packet: Pick<EnhancedPacket, 'packetType' | 'frameType' | 'data'>) =>
      manyTracks([2, 3].map((trackId) => ({ kind: 'video' as const, fourCc: 'vp09', trackId, ...packet })))
    wire.video(100, pair({ packetType: SEQUENCE_START, data: vp9.config }))
    for (const sample of vp9.samples) {
      const frameType = sample.key ? 1 : 2
      wire.video(timeOf(sample, vp9.samples), pair({ packetType: CODED_FRAMES, frameType, data: sample.data }))
    }
    send(wire, { kind: 'audio', fourCc: 'Opus', trackId: 1 }, opus)
    const follower = await finished(wire, 'many')
    const names = follower.tracks.map(({ id, codec }) => `${id} ${codec}`)
    expect(names).toEqual(['1 hevc', '3 hevc', '4 vp9', '5 vp9', '6 opus'])
    for (const [id, stream] of [
      [1, hevc],
      [3, hevc],
      [4, vp9],
      [5, vp9],
      [6, opus],
    ] as const) {
      expectSamples(
        follower.frames.filter(({ track }) => track.id === id),
        stream,
      )
    }
  })

  it('adds ModEx nanoseconds to the time of their message', async () => {
    const { config, samples } = await elementary('hevc')
    const wire = await publisher('modex')
    const what = { kind: 'video', fourCc: 'hvc1' } as const
    wire.video(0, enhanced({ ...what, packetType: SEQUENCE_START, data: config }))
    // a true 60000/1001 frames per second, which milliseconds alone cannot say
    const timesNs = samples.map((_, i) => Math.round((i * 1001 * 1e9) / 60_000))
    samples.forEach(({ data }, i) => {
      const packet = { ...what, packetType: CODED_FRAMES_X, data, nanos: timesNs[i] % 1_000_000 }
      wire.video(Math.floor(timesNs[i] / 1_000_000), enhanced(packet))
    })
    const follower = await finished(wire, 'modex')
    expect(follower.frames.map(({ dts }) => dts)).toEqual(timesNs.map((ns) => Math.round(ns / 1000)))
  })
})
