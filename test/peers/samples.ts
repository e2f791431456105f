import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { madeMedia } from './ffmpeg.ts'

const run = promisify(execFile)

/** One sample of an elementary stream as it lies in an MP4 file, with times in milliseconds. */
export interface Sample {
  readonly dtsMs: number
  readonly ptsMs: number
  readonly key: boolean
  readonly data: Buffer
}

/** An elementary stream that ffmpeg made. `config` is the payload of the MP4's configuration box, as RTMP wants it. */
export interface Elementary {
  /** The file that it was read from. */
  readonly path: string
  readonly config: Buffer
  readonly samples: readonly Sample[]
}

/** How much of it, and how large the picture. */
export interface Extent {
  readonly seconds: number
  readonly size: string
  readonly rate: number
}

const SHORT: Extent = { seconds: 2, size: '320x180', rate: 25 }
const video = ({ seconds, size, rate }: Extent) =>
  `-f lavfi -i testsrc2=size=${size}:rate=${rate} -t ${seconds} -pix_fmt yuv420p -g ${2 * rate}`
const audio = ({ seconds }: Extent) => `-f lavfi -i sine=frequency=440:sample_rate=48000 -t ${seconds} -ac 2`

/** How to make each, and the box that holds the configuration (`skip` bytes of FullBox header and the like before it). */
const RECIPES = {
  h264: { source: video, codec: '-c:v libx264 -preset veryfast -bf 2', box: 'avcC', skip: 0 },
  hevc: {
    source: video,
    codec: '-c:v libx265 -preset ultrafast -bf 3 -x265-params log-level=none -tag:v hvc1',
    box: 'hvcC',
    skip: 0,
  },
  av1: { source: video, codec: '-c:v libsvtav1 -preset 12', box: 'av1C', skip: 0 },
  vp9: { source: video, codec: '-c:v libvpx-vp9 -deadline realtime -cpu-used 8', box: 'vpcC', skip: 4 },
  aac: { source: audio, codec: '-c:a aac', box: 'esds', skip: 4 },
  opus: { source: audio, codec: '-c:a libopus', box: 'dOps', skip: 0 },
  mp3: { source: audio, codec: '-c:a libmp3lame', box: undefined, skip: 0 },
  ac3: { source: audio, codec: '-c:a ac3', box: undefined, skip: 0 },
  flac: { source: audio, codec: '-c:a flac -strict -2', box: 'dfLa', skip: 4 },
} as const

/** A codec that `elementary` can make. */
export type SampleCodec = keyof typeof RECIPES

/** Test pattern or sine in `codec`, two seconds where nothing is said, cut into samples by ffprobe's reading of the file. */
export async function elementary(codec: SampleCodec, extent: Extent = SHORT): Promise<Elementary> {
  const recipe = RECIPES[codec]
  const { seconds, size, rate } = extent
  const name = `sample-${codec}-${size}-${rate}-${seconds}s.mp4`
  const path = await madeMedia(name, `${recipe.source(extent)} ${recipe.codec}`)
  const file = readFileSync(path)
  const entries = 'packet=pts_time,dts_time,size,pos,flags'
  const probe = ['-v', 'error', '-show_packets', '-show_entries', entries, '-of', 'json', path]
  const { stdout } = await run('ffprobe', probe, { maxBuffer: 1 << 28 })
  const { packets }: { packets: Record<string, string>[] } = JSON.parse(stdout)
  const samples = packets.map((packet) => ({
    dtsMs: Math.round(Number(packet.dts_time) * 1000),
    ptsMs: Math.round(Number(packet.pts_time) * 1000),
    key: packet.flags.startsWith('K'),
    data: file.subarray(Number(packet.pos), Number(packet.pos) + Number(packet.size)),
  }))
  const config = recipe.box === undefined ? Buffer.alloc(0) : box(file, recipe.box).subarray(recipe.skip)
  if (codec === 'opus') return { path, config: opusHead(config), samples }
  return { path, config: codec === 'aac' ? audioSpecificConfig(config) : config, samples }
}

function box(file: Buffer, type: string): Buffer {
  const at = file.indexOf(type, file.indexOf('moov'))
  return file.subarray(at + 4, at - 4 + file.readUInt32BE(at - 4))
}

/** dOps is OpusHead in big-endian with version 0 (Opus in ISOBMFF §4.3.2; RFC 7845 §5.1). */
function opusHead(dops: Buffer): Buffer {
  const head = Buffer.alloc(19)
  head.write('OpusHead')
  head[8] = 1
  head[9] = dops[1]
  head.writeUInt16LE(dops.readUInt16BE(2), 10)
  head.writeUInt32LE(dops.readUInt32BE(4), 12)
  head.writeInt16LE(dops.readInt16BE(8), 16)
  head[18] = dops[10]
  return head
}

/** DecoderSpecificInfo, tag 5 (ISO 14496-1 §7.2.6.7), whose length ffmpeg writes in four bytes. */
function audioSpecificConfig(esds: Buffer): Buffer {
  const at = esds.indexOf(Buffer.from([5, 0x80, 0x80, 0x80]))
  return esds.subarray(at + 5, at + 5 + esds[at + 4])
}
