import { describeTrack, refineTrack } from '../src/codec/track.ts'
import { EbmlWriter, elementsOf } from '../src/container/matroska/ebml.ts'
import * as E from '../src/container/matroska/elements.ts'
import { readTrackEntry } from '../src/container/matroska/track-reader.ts'
import { writeTrackEntry } from '../src/container/matroska/track-writer.ts'
import { TapedeckError } from '../src/media/errors.ts'
import type { Track } from '../src/media/track.ts'
import { VECTORS } from '../test/codec/vectors.ts'
import type { FuzzTarget } from './target.ts'

function entry(track: Track): Uint8Array {
  const out = new EbmlWriter()
  writeTrackEntry(out, track.id, { ...track, label: 'a', language: 'deu' }, 'matroska')
  return out.done()
}

const alaw: Track = {
  id: 9,
  epoch: 0,
  timescale: 1000,
  kind: 'audio',
  codec: 'pcm-alaw',
  sampleRateHz: 8000,
  channels: 1,
  config: new Uint8Array(0),
}

/** Track type, CodecID and CodecPrivate of entries that others write: BITMAPINFOHEADER, WAVEFORMATEX, ADTS-style AAC. */
const FOREIGN = [
  [1, 'V_MS/VFW/FOURCC', '28000000400100000001000001001800483236340000000000000000000000000000000000000000'],
  [2, 'A_MS/ACM', '55000100401f0000e803000001000000000c0001000200000000007205'],
  [2, 'A_AAC/MPEG4/LC/SBR', ''],
  [1, 'V_MPEG4/ISO/ASP', '000001b001000001b58913'],
] as const

function foreignEntry(type: number, codecId: string, privateHex: string, algorithm: number | undefined): Uint8Array {
  const out = new EbmlWriter()
  out.master(E.TRACK_ENTRY, (inside) => {
    inside.uint(E.TRACK_NUMBER, 1).uint(E.TRACK_UID, 1).uint(E.TRACK_TYPE, type).text(E.CODEC_ID, codecId)
    if (privateHex !== '') inside.binary(E.CODEC_PRIVATE, Buffer.from(privateHex, 'hex'))
    if (type === 1) inside.master(E.VIDEO, (v) => v.uint(E.PIXEL_WIDTH, 320).uint(E.PIXEL_HEIGHT, 240))
    else inside.master(E.AUDIO, (audio) => audio.float(E.SAMPLING_FREQUENCY, 8000).uint(E.CHANNELS, 1))
    if (algorithm === undefined) return
    inside.master(E.CONTENT_ENCODINGS, (encodings) =>
      encodings.master(E.CONTENT_ENCODING, (encoding) =>
        encoding
          .uint(E.CONTENT_ENCODING_SCOPE, 1)
          .master(E.CONTENT_COMPRESSION, (compression) =>
            compression.uint(E.CONTENT_COMP_ALGO, algorithm).binary(0x4255, Uint8Array.of(0, 0, 1)),
          ),
      ),
    )
  })
  return out.done()
}

/** A TrackEntry with a configuration of each codec; what is read is written again. */
export const target: FuzzTarget = {
  name: 'matroska-tracks',
  seeds: () => [
    ...VECTORS.map(({ codec, config, packets }) =>
      entry(refineTrack(describeTrack({ id: 1, epoch: 0, timescale: 1000, codec, config }), packets[0].data)),
    ),
    entry(alaw),
    ...FOREIGN.flatMap(([type, codecId, privateHex]) =>
      [undefined, 0, 3].map((algorithm) => foreignEntry(type, codecId, privateHex, algorithm)),
    ),
  ],
  run(input) {
    try {
      for (const element of elementsOf(input, 0, 'input')) {
        const { track } = readTrackEntry(element, 1, 1000)
        if (track !== undefined) entry(track)
      }
    } catch (error) {
      if (!(error instanceof TapedeckError)) throw error
    }
  },
}
