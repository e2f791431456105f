import { resolve } from 'node:path'
import type { EndReason } from '../live/subscriber.ts'
import type { AskedFormat } from '../recorder/format-choice.ts'
import type { RecordingReport } from '../recorder/report.ts'
import { EXIT } from './exit-codes.ts'
import { bitrateText, bytesText, countText, plainText, timeText } from './figures.ts'
import { type LogLevel, processLog } from './log.ts'
import { ProgressLine } from './progress-line.ts'
import { Pull } from './pull.ts'
import { StopSignal } from './stop-signal.ts'

/** How often the progress line is drawn and the duration checked, ms. */
const TICK_MS = 100
/** For finishing the file, ms. */
const STOP_DEADLINE_MS = 30_000
const CONNECT_TIMEOUT_MS = 10_000

/** What is asked of `tapedeck record`. */
export interface RecordRequest {
  readonly url: string
  readonly output: string | undefined
  readonly format: AskedFormat | undefined
  /** Of media. */
  readonly durationMs: number | undefined
  readonly minFreeMb: number
  readonly logLevel: LogLevel
}

/** Keeps a remote stream until it ends, is enough, or a signal comes. Resolves to the exit code. */
export async function record(request: RecordRequest): Promise<number> {
  const { url, output, format, durationMs, minFreeMb, logLevel } = request
  const log = processLog({ logLevel, logFormat: 'auto' })
  const stopSignal = new StopSignal(() => process.exit(EXIT.interrupted))
  try {
    const pull = await Pull.start({
      url,
      timeoutMs: CONNECT_TIMEOUT_MS,
      config: { dir: process.cwd(), filename: '{participant}_{timestamp}', minFreeMb },
      logger: log.logger,
      ...(output === undefined ? {} : { path: resolve(output) }),
      ...(format === undefined ? {} : { format }),
    })
    const reason = await follow(pull, durationMs, stopSignal)
    await pull.stop(STOP_DEADLINE_MS)
    return conclude(pull.recording.report(), reason)
  } finally {
    stopSignal.release()
    log.flush()
  }
}

/** Why following ended: `enough` for the duration, `asked` for Ctrl-C, otherwise as the stream ended. */
type FollowEnd = EndReason | 'enough' | 'asked'

async function follow(pull: Pull, durationMs: number | undefined, stopSignal: StopSignal): Promise<FollowEnd> {
  const progress = new ProgressLine()
  const enough = Promise.withResolvers<'enough'>()
  const timer = setInterval(() => {
    const stats = pull.recording.stats()
    const dropped =
      stats.droppedFrames > 0 ? `, ${countText(stats.droppedFrames, 'frame')} dropped` : ', nothing dropped'
    progress.draw(
      `${timeText(stats.durationMs)}  ${bytesText(stats.bytes)}  ${bitrateText(stats.bitrateBps)}${dropped}`,
    )
    if (durationMs !== undefined && stats.durationMs >= durationMs) enough.resolve('enough')
  }, TICK_MS)
  try {
    return await Promise.race([pull.ended, enough.promise, stopSignal.first.then(() => 'asked' as const)])
  } finally {
    clearInterval(timer)
    progress.clear()
  }
}

function conclude(report: RecordingReport, reason: FollowEnd): number {
  for (const part of report.parts) {
    process.stdout.write(`${plainText(part.path)}: ${timeText(part.durationMs)}, ${bytesText(part.sizeBytes)}\n`)
  }
  const lost =
    report.droppedFrames === 0 ? '' : `; ${countText(report.droppedFrames, 'frame')} dropped: the disk did not keep up`
  if (report.state !== 'completed') {
    process.stderr.write(`tapedeck: nothing was recorded: ${report.error?.message ?? 'no media came'}\n`)
    return EXIT.failed
  }
  if (lost !== '') process.stderr.write(`tapedeck: incomplete${lost}\n`)
  if (reason === 'lost') process.stderr.write('tapedeck: the connection broke; what came until then is kept\n')
  return reason === 'lost' || reason === 'kicked' || lost !== '' || report.error !== undefined ? EXIT.partly : EXIT.ok
}
