import { Command, Option } from 'commander'
import { ConfigError, parseDuration } from '../config.ts'
import type { AskedFormat } from '../recorder/format-choice.ts'
import { EXIT_CODES_HELP } from './exit-codes.ts'
import type { LogLevel } from './log.ts'
import { addSettings, settingsOf } from './settings-flags.ts'

interface RecordFlags {
  readonly output?: string
  readonly duration?: string
  readonly format?: AskedFormat
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
      new Option(
        '--format <format>',
        'otherwise by the ending of the file, otherwise auto: what holds the stream as it is, mostly mp4',
      ).choices(['mp4', 'flv', 'mkv', 'webm', 'auto']),
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
    const durationMs = readDuration(flags.duration)
    const { output, format, logLevel } = flags
    const { recordMinFreeMb: minFreeMb } = settingsOf(command)
    const { record } = await import('./record.ts')
    done(await record({ url, output, format, durationMs, minFreeMb, logLevel }))
  })
}

function readDuration(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const ms = parseDuration(text)
  if (ms !== undefined && ms > 0) return ms
  const problem = `"${text}" cannot be used; a number with a unit: 500ms, 10s, 5m, 2h, 1h30m`
  throw new ConfigError([{ option: '--duration', source: 'flag', problem }])
}
