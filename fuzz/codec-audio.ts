import { dac3FromFrame, parseAc3Header, parseDac3, writeDac3 } from '../src/codec/ac3.ts'
import { parseDec3, writeDec3 } from '../src/codec/dec3.ts'
import { dec3FromFrame, parseEac3Packet } from '../src/codec/eac3.ts'
import { flacConfig, parseFlacFrameHeader, parseFlacStreamInfo, writeFlacStreamInfo } from '../src/codec/flac.ts'
import { parseMp3Header } from '../src/codec/mp3.ts'
import { opusPacketSamples, parseDOps, parseOpusHead, writeDOps, writeOpusHead } from '../src/codec/opus.ts'
import { expectStable, tolerated } from '../test/codec/tolerated.ts'
import { VECTORS } from '../test/codec/vectors.ts'
import type { FuzzTarget } from './target.ts'

function seedsOf(...codecs: readonly string[]): Uint8Array[] {
  return VECTORS.filter(({ codec }) => codecs.includes(codec)).flatMap(({ config, packets }) => [
    config,
    ...packets.slice(0, 2).map(({ data }) => data),
  ])
}

/** The frame and configuration readers of the codecs that are one small file each. */
export const targets: readonly FuzzTarget[] = [
  {
    name: 'codec-opus',
    seeds: () => seedsOf('opus'),
    run(input) {
      expectStable(input, parseOpusHead, writeOpusHead)
      expectStable(input, parseDOps, writeDOps)
      opusPacketSamples(input)
    },
  },
  {
    name: 'codec-mp3',
    seeds: () => seedsOf('mp3'),
    run(input) {
      parseMp3Header(input)
    },
  },
  {
    name: 'codec-ac3',
    seeds: () => [
      ...seedsOf('ac3', 'eac3'),
      ...VECTORS.filter(({ codec }) => codec === 'eac3').map(({ packets }) => dec3FromFrame(packets[0].data)),
    ],
    run(input) {
      expectStable(input, parseDac3, writeDac3)
      expectStable(input, parseDec3, writeDec3)
      tolerated(() => parseAc3Header(input))
      tolerated(() => parseEac3Packet(input))
      tolerated(() => dac3FromFrame(input))
      tolerated(() => dec3FromFrame(input))
    },
  },
  {
    name: 'codec-flac',
    seeds: () => seedsOf('flac'),
    run(input) {
      expectStable(input, parseFlacStreamInfo, writeFlacStreamInfo)
      tolerated(() => flacConfig(input))
      parseFlacFrameHeader(input)
    },
  },
]
