import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { CODE_RANGE_MS, COLUMNS, codeBits, ROWS } from './browser/time-code.ts'

/** Rate at which sound is looked at. */
const RATE_HZ = 48_000
/** Over how many samples energy is summed up: one cycle of the tone. */
const CYCLE = 48
/** A beep is preceded by at least so much that is not one, samples. */
const SILENCE = RATE_HZ / 5
/** The share of sound that is more silent than beeps, and a little more. */
const BEEPS_BEGIN = 0.96
const PICTURE_BYTES = COLUMNS * ROWS
/** Pictures this near tell what time it was, ms. */
const NEIGHBOURS_MS = 500
const MAX_OUTPUT_BYTES = 512 * 1024 * 1024

/** One decoded picture. */
export interface ShownPicture {
  readonly ptsMs: number
  /** Wall clock at which it was made, ms since 1970; undefined when it is torn or no picture of ours. */
  readonly madeAtMs: number | undefined
  /** Whether it is part of a flash. */
  readonly isFlash: boolean
}

/** What is to be seen and heard in a file, with the file's own times. */
export interface SyncMarks {
  readonly pictures: readonly ShownPicture[]
  /** Where beeps begin, ms. */
  readonly beepsMs: readonly number[]
  /** What ffmpeg complained about while it decoded. */
  readonly complaints: string
}

/** Decodes all of a file that a `PublisherPage` made. `aroundMs` is any time within two hours of the recording. */
export async function syncMarks(path: string, aroundMs = Date.now()): Promise<SyncMarks> {
  const [seen, heard] = await Promise.all([pictures(path, aroundMs), beeps(path)])
  return { ...seen, ...heard, complaints: seen.complaints + heard.complaints }
}

/** One beep: where it lies in the file, and where the pictures say that it should. */
export interface SoundOffset {
  /** When it was to be heard, ms since 1970: a multiple of the period. */
  readonly atMs: number
  /** How much later than the picture of the same moment it lies in the file, ms. */
  readonly lateMs: number
}

/** How much later sound is than the picture, at every beep that has pictures around it. */
export function soundOffsets({ pictures: seen, beepsMs }: SyncMarks, periodMs: number): SoundOffset[] {
  const offsets: SoundOffset[] = []
  const known = seen.filter((each) => each.madeAtMs !== undefined)
  for (const ptsMs of beepsMs) {
    const near = known.filter((each) => Math.abs(each.ptsMs - ptsMs) < NEIGHBOURS_MS)
    if (near.length < 5) continue
    const madeAtMs = ptsMs + median(near.map((each) => (each.madeAtMs ?? 0) - each.ptsMs))
    const atMs = Math.round(madeAtMs / periodMs) * periodMs
    offsets.push({ atMs, lateMs: madeAtMs - atMs })
  }
  return offsets
}

/** What the wall clock said at the file's zero, by all its pictures from `fromMs` to `toMs` of the file. */
export function zeroOfPictures({ pictures: seen }: SyncMarks, fromMs = 0, toMs = Number.POSITIVE_INFINITY): number {
  const those = seen.filter(({ madeAtMs, ptsMs }) => madeAtMs !== undefined && ptsMs >= fromMs && ptsMs <= toMs)
  return median(those.map(({ madeAtMs, ptsMs }) => (madeAtMs ?? 0) - ptsMs))
}

/** The middle one; NaN of none. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN
}

async function pictures(path: string, aroundMs: number): Promise<Pick<SyncMarks, 'pictures' | 'complaints'>> {
  const filter = `scale=${COLUMNS}:${ROWS}:flags=area,format=gray,showinfo=checksum=0`
  const { stdout, said } = await decode(path, ['-an', '-vf', filter, '-fps_mode', 'passthrough', '-f', 'rawvideo'])
  if (stdout.length === 0) return { pictures: [], complaints: complaintsIn(said) }
  const base = /config in time_base: (\d+)\/(\d+)/.exec(said)
  const tickMs = (Number(base?.[1]) / Number(base?.[2])) * 1000
  const times = [...said.matchAll(/ n: *\d+ pts: *(-?\d+)/g)].map((match) => Number(match[1]) * tickMs)
  if (times.length * PICTURE_BYTES !== stdout.length) throw new Error(`${times.length} times, ${stdout.length} bytes`)
  return { pictures: times.map((ptsMs, i) => shown(stdout, i, ptsMs, aroundMs)), complaints: complaintsIn(said) }
}

function shown(bytes: Uint8Array, index: number, ptsMs: number, aroundMs: number): ShownPicture {
  const picture = bytes.subarray(index * PICTURE_BYTES, (index + 1) * PICTURE_BYTES)
  const bits = Array.from(picture.subarray(0, 3 * COLUMNS), (luma) => (luma > 125 ? '1' : '0')).join('')
  const code = Number.parseInt(bits.slice(0, 24), 2)
  const rest = picture.subarray(3 * COLUMNS)
  const isFlash = rest.reduce((sum, luma) => sum + luma, 0) / rest.length > 180
  if (codeBits(code) !== bits) return { ptsMs, madeAtMs: undefined, isFlash }
  return { ptsMs, madeAtMs: code + CODE_RANGE_MS * Math.round((aroundMs - code) / CODE_RANGE_MS), isFlash }
}

async function beeps(path: string): Promise<Pick<SyncMarks, 'beepsMs' | 'complaints'>> {
  const filter = `aformat=sample_fmts=flt:channel_layouts=mono:sample_rates=${RATE_HZ},ashowinfo`
  const { stdout, said } = await decode(path, ['-vn', '-af', filter, '-f', 'f32le'])
  const samples = new Float32Array(stdout.buffer, stdout.byteOffset, stdout.length >> 2)
  const pieces = [...said.matchAll(/ n:\d+ pts:(-?\d+) .*nb_samples:(\d+)/g)]
  let piece = 0
  let [pieceAt, pieceEnd] = [0, Number(pieces[0]?.[2] ?? 0)]
  const timeOf = (at: number) => {
    for (; at >= pieceEnd && piece + 1 < pieces.length; pieceEnd += Number(pieces[piece][2])) {
      pieceAt = pieceEnd
      piece++
    }
    return ((Number(pieces[piece][1]) + at - pieceAt) / RATE_HZ) * 1000
  }
  return { beepsMs: onsets(samples).map(timeOf), complaints: complaintsIn(said) }
}

/** Where it becomes loud after silence: where half a cycle of a tone at half the loudness of beeps has been heard. */
function onsets(samples: Float32Array): number[] {
  const energy = new Float32Array(samples.length)
  let sum = 0
  for (let i = 0; i < samples.length; i++) {
    sum += samples[i] ** 2 - (i < CYCLE ? 0 : samples[i - CYCLE] ** 2)
    energy[i] = sum
  }
  const loud = loudness(energy)
  const found: number[] = []
  let loudAt = -SILENCE
  for (let i = 0; i < energy.length; i++) {
    if (energy[i] < loud / 2 || loud < 0.1) continue
    if (i - loudAt >= SILENCE) found.push(Math.max(0, i - CYCLE / 2))
    loudAt = i
  }
  return found
}

/** How loud beeps are, which are a thirteenth of all: not the loudest, since decoders click where something is missing. */
function loudness(energy: Float32Array): number {
  const some = energy.filter((_, i) => i % CYCLE === 0).toSorted()
  return some[Math.floor(some.length * BEEPS_BEGIN)] ?? 0
}

/** Runs ffmpeg with the file's own timestamps; what it decodes, and all that it says. */
async function decode(path: string, args: readonly string[]): Promise<{ stdout: Buffer; said: string }> {
  const reading = ['-nostdin', '-hide_banner', '-nostats', '-v', 'info', '-copyts', '-i', path]
  const child = spawn('ffmpeg', [...reading, ...args, 'pipe:1'], { stdio: ['ignore', 'pipe', 'pipe'] })
  const chunks: Buffer[] = []
  const lines: Buffer[] = []
  let size = 0
  child.stdout.on('data', (chunk: Buffer) => {
    chunks.push(chunk)
    if ((size += chunk.length) > MAX_OUTPUT_BYTES) child.kill()
  })
  child.stderr.on('data', (chunk: Buffer) => lines.push(chunk))
  const [status] = await once(child, 'close')
  const said = Buffer.concat(lines).toString()
  if (status !== 0 && !said.includes('does not contain any stream')) throw new Error(`ffmpeg on ${path}:\n${said}`)
  const bytes = Buffer.alloc(size) // of its own, so that floats lie where floats may
  let at = 0
  for (const chunk of chunks) at += chunk.copy(bytes, at)
  return { stdout: bytes, said }
}

/** Lines of decoders and demuxers that are not information. */
function complaintsIn(said: string): string {
  const isComplaint = (line: string) =>
    /error|invalid|corrupt|concealing|missing|non-existing|discard|truncat/i.test(line)
  return said
    .split('\n')
    .filter((line) => isComplaint(line) && !/does not contain any stream|^\[(rawvideo|f32le) @/.test(line))
    .join('\n')
}
