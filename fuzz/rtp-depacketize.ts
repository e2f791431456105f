import { strictEqual } from 'node:assert'
import { parseAvcC } from '../src/codec/h264/avcc.ts'
import { parseHvcC } from '../src/codec/hevc/hvcc.ts'
import { splitSample } from '../src/codec/nal.ts'
import { splitSuperframe } from '../src/codec/vp9.ts'
import { TapedeckError } from '../src/media/errors.ts'
import type { AudioCodec, VideoCodec } from '../src/media/track.ts'
import { DecodeClock } from '../src/rtp/decode-clock.ts'
import { depacketizerFor } from '../src/rtp/depacketize/depacketizer-for.ts'
import { FrameGate } from '../src/rtp/frame-gate.ts'
import { tolerated } from '../test/codec/tolerated.ts'
import { VECTORS, type Vector } from '../test/codec/vectors.ts'
import { packetOf } from '../test/rtp/gathered-units.ts'
import { av1Payloads, h264Payloads, hevcPayloads, nalUnits, vp8Payloads, vp9Payloads } from '../test/rtp/packetizers.ts'
import type { FuzzTarget } from './target.ts'

const MARKER = 1
const LOST = 2
const NEXT = 4
const DESCRIPTOR = 8 // the payload begins with a dependency descriptor of so many bytes as its first byte says
const DESCRIPTOR_ID = 3

/** Each packet: what it is, a 16-bit length, its payload. */
function script(units: readonly (readonly Uint8Array[])[]): Uint8Array {
  return new Uint8Array(
    Buffer.concat(
      units.flatMap((payloads) =>
        payloads.flatMap((payload, i) => {
          const flags = (i === payloads.length - 1 ? MARKER : 0) | (i === 0 ? NEXT : 0)
          return [Buffer.from([flags, payload.length >> 8, payload.length & 0xff]), payload]
        }),
      ),
    ),
  )
}

type Packetize = (vector: Vector) => readonly (readonly Uint8Array[])[]

const PACKETIZE: readonly (readonly [VideoCodec | AudioCodec, Packetize])[] = [
  [
    'h264',
    ({ config, packets }) => {
      const { sps, pps } = parseAvcC(config)
      return packets.map(({ key, data }) => h264Payloads([...(key ? [...sps, ...pps] : []), ...nalUnits(data)], 200))
    },
  ],
  [
    'hevc',
    ({ config, packets }) => {
      const sets = parseHvcC(config).arrays.flatMap(({ units }) => units)
      return packets.map(({ key, data }) => hevcPayloads([...(key ? sets : []), ...nalUnits(data)], 200))
    },
  ],
  ['vp8', ({ packets }) => packets.map(({ data }, id) => vp8Payloads(data, { id, base: id, layer: id % 2 }, 100))],
  [
    'vp9',
    ({ packets }) =>
      packets.map(({ data }, id) => {
        const layer = (spatial: number) =>
          vp9Payloads(
            data,
            { id, flexible: id > 1, temporal: id % 2, base: id, spatial, differences: id === 0 ? [] : [1] },
            40,
          )
        return [...layer(0), ...layer(1)]
      }),
  ],
  ['av1', ({ packets }) => packets.map(({ data }) => av1Payloads(data, 30))],
  ['opus', ({ packets }) => packets.map(({ data }) => [data])],
]

/** Codecs of which there are no vectors: samples that are whole, and one that is not. */
const PCM_CODECS: readonly AudioCodec[] = ['pcm-alaw', 'pcm-mulaw', 'pcm-s16le']
const PCM_PAYLOADS = [320, 960, 3].map((length) => [new Uint8Array(length).fill(0xd5)])

/** Depacketizers with the gate and the decode clock behind them: from any packets only units that are what their codec says. */
export const targets: FuzzTarget[] = [
  ...PACKETIZE.map(([codec, packetize]) =>
    target(codec, () => VECTORS.filter((each) => each.codec === codec).map((each) => script(packetize(each)))),
  ),
  ...PCM_CODECS.map((codec) => target(codec, () => [script(PCM_PAYLOADS)])),
]

function target(codec: VideoCodec | AudioCodec, seeds: () => Uint8Array[]): FuzzTarget {
  return { name: `rtp-depacketize-${codec}`, seeds, run: (input) => unrefused(() => play(codec, input)) }
}

/** A depacketizer refuses nothing: it leaves out. */
function unrefused(run: () => void): void {
  try {
    run()
  } catch (error) {
    throw error instanceof TapedeckError ? new Error('was thrown over', { cause: error }) : error
  }
}

function play(codec: VideoCodec | AudioCodec, input: Uint8Array): void {
  const clock = new DecodeClock(codec === 'h264' || codec === 'hevc' ? codec : 'vp8', 90_000)
  let last = Number.NEGATIVE_INFINITY
  const gate = new FrameGate(
    {
      unit({ config, data, timestamp, key }) {
        if (config !== undefined) tolerated(() => clock.configure(config))
        clock.place(timestamp, key)
        strictEqual(clock.dts > last && clock.dts <= clock.pts, true)
        last = clock.dts
        if (codec === 'h264' || codec === 'hevc') splitSample(data, 4)
        if (codec === 'vp9') tolerated(() => splitSuperframe(data))
      },
      loss: ({ lengthMs }) => strictEqual(lengthMs >= 0, true),
      keyframeNeeded() {},
    },
    { clockRateHz: 90_000, keep: input[0] === 0 ? 'all' : 'decodable' },
  )
  const format = { codec, clockRateHz: 90_000, channels: 2, parameters: new Map<string, string>() }
  const depacketizer = depacketizerFor({ ...format, dependencyDescriptorId: DESCRIPTOR_ID }, gate)
  let timestamp = 0
  for (let at = 0, sequence = 0; at + 3 <= input.length; sequence++) {
    const flags = input[at]
    const end = Math.min(input.length, at + 3 + ((input[at + 1] << 8) | input[at + 2]))
    const payload = input.subarray(at + 3, end)
    at = end
    if ((flags & NEXT) !== 0) timestamp = (timestamp + 3000) >>> 0
    if ((flags & LOST) !== 0) depacketizer.lost(1)
    const length = (flags & DESCRIPTOR) === 0 ? 0 : 1 + (payload[0] & 31)
    const extension = [[DESCRIPTOR_ID, payload.subarray(1, length)] as const].slice(length > 0 ? 0 : 1)
    depacketizer.packet(
      packetOf(payload.subarray(length), sequence & 0xffff, timestamp, (flags & MARKER) !== 0, extension),
    )
  }
  depacketizer.flush()
  gate.finish()
}
