import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Recipe } from './recipes.ts'

const run = promisify(execFile)

/** What ffprobe says of a stream; strings as it prints them. */
export type Probe = Readonly<Record<string, string | number>>

/** A real stream: its configuration, its packets, and what ffprobe knows about it. */
export interface EncodedStream {
  readonly config: Buffer
  readonly probe: Probe
  /** `duration` in seconds, as the container has it. */
  readonly packets: readonly { readonly key: boolean; readonly duration: number; readonly data: Buffer }[]
}

/** Configuration boxes that ffprobe hands out with something before or instead of them: found in the file itself. */
const BOXES: Readonly<Record<string, { readonly box: string; readonly skip: number } | undefined>> = {
  vp9: { box: 'vpcC', skip: 4 },
  flac: { box: 'dfLa', skip: 4 },
}
/** Codecs without a configuration, whatever ffprobe shows. */
const BARE = new Set(['vp8', 'mp3', 'ac3', 'eac3'])
const FIELDS =
  'codec_name,profile,level,width,height,pix_fmt,r_frame_rate,avg_frame_rate,sample_rate,channels,field_order,extradata'

/** Encodes `recipe` with ffmpeg and takes the file apart with ffprobe. */
export async function encodedStream(recipe: Recipe): Promise<EncodedStream> {
  const directory = mkdtempSync(join(tmpdir(), 'tapedeck-codec-'))
  try {
    const path = join(directory, `a.${recipe.container}`)
    await run('ffmpeg', ['-nostdin', '-v', 'error', ...recipe.args.split(/\s+/), path])
    const entries = `stream=${FIELDS}:stream_tags=:stream_disposition=:packet=flags,duration_time,data`
    const args = [
      '-v',
      'error',
      '-show_streams',
      '-show_packets',
      '-show_data',
      '-show_entries',
      entries,
      '-of',
      'json',
    ]
    const { stdout } = await run('ffprobe', [...args, path], { maxBuffer: 1 << 28 })
    const { streams, packets }: ProbeOutput = JSON.parse(stdout)
    const { extradata, side_data_list: _, ...probe } = streams[0]
    return {
      config: BARE.has(recipe.codec)
        ? Buffer.alloc(0)
        : configOf(recipe.codec, readFileSync(path), String(extradata ?? '')),
      probe,
      packets: packets.map(({ flags, duration_time, data }) => ({
        key: flags.includes('K'),
        duration: Number(duration_time),
        data: fromDump(data),
      })),
    }
  } finally {
    rmSync(directory, { recursive: true })
  }
}

type ProbeOutput = { streams: Record<string, string | number>[]; packets: Record<string, string>[] }

function configOf(codec: string, file: Buffer, extradata: string): Buffer {
  const wanted = BOXES[codec]
  if (wanted === undefined) return fromDump(extradata)
  const at = file.indexOf(wanted.box, file.indexOf('moov'))
  return file.subarray(at + 4 + wanted.skip, at - 4 + file.readUInt32BE(at - 4))
}

/** `00000000: 0164 001f ffe1 …  .d..` lines as bytes. */
function fromDump(dump: string): Buffer {
  const hex = dump
    .split('\n')
    .map((line) => line.slice(line.indexOf(':') + 1, line.indexOf(':') + 42).replaceAll(' ', ''))
  return Buffer.from(hex.join(''), 'hex')
}
