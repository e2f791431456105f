import { resolve } from 'node:path'
import { Command, Option } from 'commander'
import { ConfigError, parseDuration } from '../config.ts'
import type { Format } from '../container/reader.ts'
import type { EndReason } from '../live/subscriber.ts'
import type { RecordingReport } from '../recorder/report.ts'
import { EXIT, EXIT_CODES_HELP } from './exit-codes.ts'
import { bitrateText, bytesText, countText, plainText, timeText } from './figures.ts'
import { type LogLevel, processLog } from './log.ts'
import { ProgressLine } from './progress-line.ts'
import { Pull } from './pull.ts'
import { addSettings, settingsOf } from './settings-flags.ts'
import { StopSignal } from './stop-signal.ts'

/** How often the progress line is drawn and the duration checked, ms. */
const TICK_MS = 100
/** For finishing the file, ms. */
const STOP_DEADLINE_MS = 30_000
const CONNECT_TIMEOUT_MS = 10_000

interface RecordFlags {
  readonly output?: string
  readonly duration?: string
  readonly format?: Format
  readonly logLevel: LogLevel
}

/** `tapedeck record <rtmp url>`. */
export function recordCommand(done: (exitCode: number) => void): Command {
  const command = new Command('record')
    .description('Play a remote RTMP stream and keep it in a file')
    .argument('<url>', 'rtmp://host/{room}/{name} or rtmps://…; a token goes behind the name, ?token=…')
    .option('-o, --output <file>', 'where to; nothing is overwritten [default: {name}_{time} here]')
    .option('-d, --duration <duration>', 'stop by itself after so much media: 10s, 5m, 2h')
    .addOption(
      new Option('--format <format>', 'otherwise by the ending of the file, otherwise mp4').choices([
        'mp4',
        'flv',
        'mkv',
      ]),
    )
    .addOption(
      new Option('--log-level <level>', 'log lines on standard error')
        .choices(['debug', 'info', 'warn', 'error', 'silent'])
        .default('warn'),
    )
    .addHelpText(
      'after',
      `
It begins at a keyframe. Ctrl-C finishes the file; a second Ctrl-C leaves at once, and "tapedeck repair" mends it.
Ends with 3 when the connection broke: what came until then is kept.

Examples:
  tapedeck record rtmp://127.0.0.1/live/test
  tapedeck record rtmp://media.example.org/live/show -o show.mkv --duration 2h
${EXIT_CODES_HELP}`,
    )
  addSettings(command, ['recordMinFreeMb'])
  return command.action(async (url: string, flags: RecordFlags) => {
    done(await record(url, flags, settingsOf(command).recordMinFreeMb))
  })
}

async function record(url: string, flags: RecordFlags, minFreeMb: number): Promise<number> {
  const durationMs = readDuration(flags.duration)
  const log = processLog({ logLevel: flags.logLevel, logFormat: 'auto' })
  const stopSignal = new StopSignal(() => process.exit(EXIT.interrupted))
  try {
    const pull = await Pull.start({
      url,
      timeoutMs: CONNECT_TIMEOUT_MS,
      config: { dir: process.cwd(), filename: '{participant}_{timestamp}', minFreeMb },
      logger: log.logger,
      ...(flags.output === undefined ? {} : { path: resolve(flags.output) }),
      ...(flags.format === undefined ? {} : { format: flags.format }),
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

function readDuration(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const ms = parseDuration(text)
  if (ms !== undefined && ms > 0) return ms
  const problem = `"${text}" cannot be used; a number with a unit: 500ms, 10s, 5m, 2h, 1h30m`
  throw new ConfigError([{ option: '--duration', source: 'flag', problem }])
}
