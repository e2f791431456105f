import { MalformedError, UnsupportedError } from '../../media/errors.ts'
import { runChild } from './child.ts'
import { FfmpegFailedError } from './errors.ts'
import type { FfmpegFacts } from './facts.ts'
import { type PacketSum, PacketTally } from './packet-tally.ts'
import { type ProbedStream, parseStreams } from './stream-facts.ts'

/** A stream of a file, and what its packets add up to. */
export interface SurveyedStream extends ProbedStream, PacketSum {}

/** A file as ffprobe sees it. Pictures attached to it, subtitles and data are left out. */
export interface Survey {
  readonly path: string
  readonly streams: readonly SurveyedStream[]
  /** From the first to the end of the last frame of any stream. */
  readonly durationSeconds: number
}

/** A file's headers alone: costs the same for a long file as for a short one. */
export interface Glance {
  readonly streams: readonly ProbedStream[]
  /** As the header says; undefined where it does not. */
  readonly durationSeconds: number | undefined
  readonly startSeconds: number
}

const HEADER_ENTRIES =
  'format=duration,start_time:stream=index,codec_type,codec_name,width,height,sample_aspect_ratio,avg_frame_rate,sample_rate,' +
  'channels,color_space,color_transfer,color_primaries:stream_disposition=attached_pic:stream_tags=title,rotate:stream_side_data=rotation'
const MAX_HEADER_CHARS = 4 * 1024 * 1024

/** Reads the headers of `path`. @throws MalformedError when it is no media file @throws UnsupportedError when ffmpeg does not know its codecs */
export async function glance(facts: FfmpegFacts, path: string, signal: AbortSignal): Promise<Glance> {
  let json = ''
  const onLine = (line: string) => {
    if (json.length < MAX_HEADER_CHARS) json += `${line}\n`
    return true
  }
  const args = ['-v', 'error', '-show_entries', HEADER_ENTRIES, '-of', 'json', '-i', `file:${path}`]
  await probing(path, runChild(facts.ffprobe, args, { signal, onLine }))
  const found = parseStreams(json, path)
  const unknown = found.streams.find(({ codec }) => codec === 'unknown' || codec === 'none')
  if (unknown !== undefined || found.streams.length === 0) {
    throw new UnsupportedError(
      `${path}: ffmpeg ${facts.version} finds no stream there that it knows; install a newer one`,
    )
  }
  return found
}

/** Reads `path` to its end, without decoding. @throws as `glance` does */
export async function survey(facts: FfmpegFacts, path: string, signal: AbortSignal): Promise<Survey> {
  const { streams } = await glance(facts, path, signal)
  const tallies = new Map(streams.map(({ index }) => [index, new PacketTally()]))
  const onLine = (line: string) => {
    const [index, pts, dts, duration, size, flags] = line.split('|')
    if (flags !== undefined)
      tallies.get(Number(index))?.add(Number(pts), Number(dts), Number(duration), Number(size), flags)
    return true
  }
  const entries = 'packet=stream_index,pts_time,dts_time,duration_time,size,flags'
  const args = ['-v', 'error', '-show_entries', entries, '-of', 'compact=p=0:nk=1', '-i', `file:${path}`]
  await probing(path, runChild(facts.ffprobe, args, { signal, onLine }))
  const surveyed = streams.flatMap((stream) => {
    const sum = tallies.get(stream.index)?.sum()
    return sum === undefined ? [] : [{ ...stream, ...sum }]
  })
  if (surveyed.length === 0) throw new MalformedError(path, 'holds no media')
  const start = Math.min(...surveyed.map(({ startSeconds }) => startSeconds))
  const end = Math.max(...surveyed.map(({ endSeconds }) => endSeconds))
  return { path, streams: surveyed, durationSeconds: end - start }
}

/** What ffprobe cannot read is the file's fault. */
async function probing(path: string, run: Promise<string>): Promise<void> {
  try {
    await run
  } catch (error) {
    if (!(error instanceof FfmpegFailedError) || !/Invalid data|moov atom not found|EBML/.test(error.stderr))
      throw error
    throw new MalformedError(path, `cannot be read: ${error.stderr.trim().split('\n').at(-1)?.slice(-300)}`)
  }
}
