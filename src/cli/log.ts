import { type DestinationStream, destination, type Logger, pino } from 'pino'
import type { Settings } from '../config.ts'
import { plainText } from './figures.ts'

/** Fields that every line has and text need not repeat. */
const PLUMBING = new Set(['level', 'time', 'msg', 'pid', 'hostname'])
const LEVELS: Readonly<Record<number, string>> = { 20: 'debug', 30: 'info ', 40: 'WARN ', 50: 'ERROR', 60: 'FATAL' }

/** How much is logged. */
export type LogLevel = Settings['logLevel']

/** A logger on standard error, and the way to see its last lines out. */
export interface ProcessLog {
  readonly logger: Logger
  /** Writes what is still gathered, at once. */
  flush(): void
}

/** Log lines on standard error: JSON for machines, text for a person at a terminal. */
export function processLog(settings: Pick<Settings, 'logLevel' | 'logFormat'>): ProcessLog {
  const isText = settings.logFormat === 'text' || (settings.logFormat === 'auto' && process.stderr.isTTY)
  const options = { level: settings.logLevel, base: null, timestamp: pino.stdTimeFunctions.isoTime }
  if (isText) return { logger: pino(options, textStream), flush: () => undefined }
  const stream = destination({ dest: 2, sync: false })
  stream.on('error', () => undefined) // nobody reads our log: that is no reason to stop recording
  return {
    logger: pino(options, stream),
    flush: () => {
      try {
        stream.flushSync()
      } catch {
        // not open yet, or gone: nothing left to do about a log
      }
    },
  }
}

const textStream: DestinationStream = {
  write: (line) => process.stderr.write(textLine(line)),
}

/** A JSON log line as `12:34:56 info  message  key=value …`. */
export function textLine(line: string): string {
  const fields: unknown = JSON.parse(line)
  if (typeof fields !== 'object' || fields === null) return line
  const entries = new Map<string, unknown>(Object.entries(fields))
  const level = LEVELS[Number(entries.get('level'))] ?? '     '
  const time = new Date(String(entries.get('time'))).toTimeString().slice(0, 8)
  const rest = [...entries].filter(([key]) => !PLUMBING.has(key)).map(([key, value]) => ` ${key}=${fieldText(value)}`)
  return `${time} ${level} ${plainText(String(entries.get('msg') ?? ''))}${rest.length === 0 ? '' : ` ${rest.join('')}`}\n`
}

function fieldText(value: unknown): string {
  if (typeof value === 'object' && value !== null && 'message' in value) {
    const code = 'code' in value ? ` (${String(value.code)})` : ''
    return plainText(JSON.stringify(`${String(value.message)}${code}`))
  }
  if (typeof value === 'string' && /^[^\s"=]+$/.test(value)) return plainText(value)
  return plainText(JSON.stringify(value) ?? '')
}
