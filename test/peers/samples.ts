import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

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
  readonly config: Buffer
  readonly samples: readonly Sample[]
}

const VIDEO = ['-f', 'lavfi', '-i', 'testsrc2=size=320x180:rate=25', '-t', '2', '-pix_fmt', 'yuv420p', '-g', '25']
const AUDIO = ['-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=48000', '-t', '2', '-ac', '2']

/** How to make each, and the box that holds the configuration (`skip` bytes of FullBox header and the like before it). */
const RECIPES = {
  h264: { args: [...VIDEO, '-c:v', 'libx264', '-bf', '2'], box: 'avcC', skip: 0 },
  hevc: {
    args: [...VIDEO, '-c:v', 'libx265', '-preset', 'ultrafast', '-x265-params', 'log-level=none', '-tag:v', 'hvc1'],
    box: 'hvcC',
    skip: 0,
  },
  av1: { args: [...VIDEO, '-c:v', 'libsvtav1', '-preset', '12'], box: 'av1C', skip: 0 },
  vp9: { args: [...VIDEO, '-c:v', 'libvpx-vp9', '-deadline', 'realtime', '-cpu-used', '8'], box: 'vpcC', skip: 4 },
  aac: { args: [...AUDIO, '-c:a', 'aac'], box: undefined, skip: 0 },
  opus: { args: [...AUDIO, '-c:a', 'libopus'], box: 'dOps', skip: 0 },
  ac3: { args: [...AUDIO, '-c:a', 'ac3'], box: undefined, skip: 0 },
  flac: { args: [...AUDIO, '-c:a', 'flac', '-strict', '-2'], box: 'dfLa', skip: 4 },
} as const

/** Two seconds of test pattern or sine in `codec`, cut into samples by ffprobe's own reading of the file. */
export async function elementary(codec: keyof typeof RECIPES): Promise<Elementary> {
  const directory = mkdtempSync(join(tmpdir(), 'tapedeck-samples-'))
  try {
    const recipe = RECIPES[codec]
    const path = join(directory, 'a.mp4')
    await run('ffmpeg', ['-v', 'error', ...recipe.args, path])
    const file = readFileSync(path)
    const probe = [
      '-v',
      'error',
      '-show_packets',
      '-show_entries',
      'packet=pts_time,dts_time,size,pos,flags',
      '-of',
      'json',
    ]
    const { stdout } = await run('ffprobe', [...probe, path], { maxBuffer: 1 << 26 })
    const { packets } = JSON.parse(stdout) as { packets: Record<string, string>[] }
    const samples = packets.map((packet) => ({
      dtsMs: Math.round(Number(packet.dts_time) * 1000),
      ptsMs: Math.round(Number(packet.pts_time) * 1000),
      key: packet.flags.startsWith('K'),
      data: file.subarray(Number(packet.pos), Number(packet.pos) + Number(packet.size)),
    }))
    const config = recipe.box === undefined ? Buffer.alloc(0) : box(file, recipe.box).subarray(recipe.skip)
    return { config: codec === 'opus' ? opusHead(config) : config, samples }
  } finally {
    rmSync(directory, { recursive: true })
  }
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
