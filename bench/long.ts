import { execFile } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { MEMORY_FLAGS } from '../src/cli/nursery.ts'
import type { LongReport } from './long-recorder.ts'
import { table } from './measure.ts'
import { longMedia, workspace } from './media.ts'

const exec = promisify(execFile)
const HOURS = 12
/** Minutes of media before the memory is compared: at this speed the first one is over before any code is compiled. */
const WARM_UP_MINUTES = 30

/** Twelve hours of media (4.9 GB) through a recording as fast as they go: memory, time to finish, and whether the file seeks. */
export async function long(): Promise<void> {
  const rows: string[][] = []
  for (const format of ['mp4', 'flv', 'mkv']) rows.push(await record(format))
  console.log(`\n${HOURS} h of 30 fps video and AAC, as fast as it goes, memory in MB`)
  const memory = ['RSS after 1 min of media', `after ${WARM_UP_MINUTES} min`, 'highest later', 'while finishing']
  table(['format', ...memory, 'fed in s', 'finished in s', 'GB', 'sought in s'], rows)
}

async function record(format: string): Promise<string[]> {
  const directory = join(workspace, 'long')
  rmSync(directory, { recursive: true, force: true })
  try {
    const report = await runLongRecorder(
      ['--media', longMedia(), '--format', format, '--hours', String(HOURS)],
      directory,
    )
    const { rssMb, finishRssMb, feedSeconds, finishSeconds, sizeBytes, paths } = report
    demandWhole(format, report)
    const startedAtMs = performance.now()
    await demandSeekable(paths[0], HOURS * 3600 - 10)
    return [
      format,
      rssMb[0].toFixed(0),
      rssMb[WARM_UP_MINUTES].toFixed(0),
      Math.max(...rssMb.slice(WARM_UP_MINUTES)).toFixed(0),
      finishRssMb.toFixed(0),
      feedSeconds.toFixed(1),
      finishSeconds.toFixed(2),
      (sizeBytes / 1e9).toFixed(2),
      ((performance.now() - startedAtMs) / 1000).toFixed(2),
    ]
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Runs one long recording in a process of its own, which is started as `tapedeck serve` starts itself. */
export async function runLongRecorder(flags: readonly string[], directory: string): Promise<LongReport> {
  const script = join(import.meta.dirname, 'long-recorder.ts')
  const { stdout } = await exec(process.execPath, [...MEMORY_FLAGS, script, ...flags, '--directory', directory])
  return JSON.parse(stdout)
}

function demandWhole(format: string, { state, fed, recorded, errors, paths }: LongReport): void {
  const isWhole = fed.video === recorded.video && fed.audio === recorded.audio && recorded.dropped === 0
  if (state === 'completed' && isWhole && errors.length === 0 && paths.length === 1) return
  throw new Error(`${format}: ${JSON.stringify({ state, fed, recorded, errors, paths })}`)
}

/** Decodes the last seconds; throws at any complaint of ffmpeg, and where it did not get there. */
async function demandSeekable(path: string, seconds: number): Promise<void> {
  const args = ['-nostdin', '-v', 'warning', '-ss', String(seconds), '-i', path, '-progress', '-', '-f', 'null', '-']
  const { stdout, stderr } = await exec('ffmpeg', args)
  const frames = Number(/frame=(\d+)\n(?!.*frame=)/s.exec(stdout)?.[1])
  if (stderr !== '' || !(frames > 295 && frames < 305))
    throw new Error(`${path}: ${frames} frames at the end; ${stderr}`)
}
