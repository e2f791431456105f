import { execFile, spawn } from 'node:child_process'
import { existsSync, mkdirSync, renameSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const exec = promisify(execFile)
const MAX_OUTPUT_BYTES = 256 * 1024 * 1024
const mediaDirectory = join(tmpdir(), `tapedeck-test-media-${process.getuid?.() ?? 0}`)

/** Runs ffmpeg quietly; throws with everything it said when it fails. Returns its stderr. */
export async function ffmpeg(...args: readonly string[]): Promise<string> {
  const { stderr } = await exec('ffmpeg', ['-nostdin', '-hide_banner', '-v', 'warning', '-y', ...args], {
    maxBuffer: MAX_OUTPUT_BYTES,
  })
  return stderr
}

/**
 * A media file made once per machine: `name` is its file name, `args` what ffmpeg gets before it.
 * Safe when several test processes ask at once.
 */
export async function madeMedia(name: string, args: string): Promise<string> {
  const path = join(mediaDirectory, name)
  if (existsSync(path)) return path
  mkdirSync(mediaDirectory, { recursive: true })
  const draft = join(mediaDirectory, `draft-${process.pid}-${name}`)
  await ffmpeg(...args.trim().split(/\s+/), draft)
  renameSync(draft, path)
  return path
}

/** One packet as ffprobe sees it. Times in seconds. */
export interface ProbedPacket {
  readonly type: 'video' | 'audio'
  readonly stream: number
  readonly pts: number
  readonly dts: number
  readonly size: number
  readonly key: boolean
  readonly hash: string
}

/** Every packet of `path` with the hash of its payload. */
export async function packetsOf(path: string): Promise<ProbedPacket[]> {
  const entries = 'packet=codec_type,stream_index,pts_time,dts_time,size,flags,data_hash'
  const args = ['-v', 'error', '-show_packets', '-show_data_hash', 'md5', '-show_entries', entries, '-of', 'json', path]
  const { stdout } = await exec('ffprobe', args, { maxBuffer: MAX_OUTPUT_BYTES })
  const { packets }: { packets: Record<string, string>[] } = JSON.parse(stdout)
  return packets
    .filter((packet) => packet.codec_type === 'video' || packet.codec_type === 'audio')
    .map((packet) => ({
      type: packet.codec_type === 'video' ? 'video' : 'audio',
      stream: Number(packet.stream_index),
      pts: Number(packet.pts_time),
      dts: Number(packet.dts_time),
      size: Number(packet.size),
      key: packet.flags.includes('K'),
      hash: packet.data_hash,
    }))
}

/** What ffprobe says of the file as a whole and of its streams. */
export async function probe(
  path: string,
): Promise<{ format: Record<string, string>; streams: Record<string, string>[] }> {
  const { stdout } = await exec('ffprobe', ['-v', 'error', '-show_format', '-show_streams', '-of', 'json', path], {
    maxBuffer: MAX_OUTPUT_BYTES,
  })
  return JSON.parse(stdout)
}

/** The width of every decoded picture of `path`. */
export async function pictureWidths(path: string): Promise<number[]> {
  const args = ['-v', 'error', '-select_streams', 'v', '-show_entries', 'frame=width', '-of', 'json', path]
  const { stdout } = await exec('ffprobe', args, { maxBuffer: MAX_OUTPUT_BYTES })
  const { frames }: { frames: { width: number }[] } = JSON.parse(stdout)
  return frames.map(({ width }) => width)
}

/** Decodes everything; returns what ffmpeg complained about, empty when nothing. */
export async function complaints(path: string): Promise<string> {
  return ffmpeg('-i', path, '-f', 'null', '-')
}

/** How `publish` goes about it. */
export interface PublishOptions {
  /** `-readrate`; 1 is real time. As fast as it goes where nothing is said. */
  readonly speed?: number
  readonly loop?: boolean
  /** What ffmpeg is told of its output beyond that. */
  readonly args?: readonly string[]
}

/** ffmpeg publishing `path` to `url`, to be awaited or ended. */
export function publish(path: string, url: string, options: PublishOptions = {}) {
  const args = ['-nostdin', '-hide_banner', '-v', 'error']
  if (options.loop) args.push('-stream_loop', '-1')
  if (options.speed !== undefined) args.push('-readrate', String(options.speed))
  const child = spawn(
    'ffmpeg',
    [...args, '-i', path, '-c', 'copy', '-map', '0', ...(options.args ?? []), '-f', 'flv', url],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  )
  let said = ''
  child.stderr.on('data', (text) => {
    said += text
  })
  const ended = new Promise<{ status: number | null; said: string }>((resolve) => {
    child.on('close', (status) => resolve({ status, said }))
  })
  return { ended, end: (signal: NodeJS.Signals = 'SIGTERM') => child.kill(signal) }
}
