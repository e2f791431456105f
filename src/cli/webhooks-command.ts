import { Command, Option } from 'commander'
import { ConfigError, parseDuration, type Settings, webhookSecret } from '../config.ts'
import { DELIVERY_STATES, type Delivery, DeliveryLog, type DeliveryState } from '../events/delivery-log.ts'
import { webhookKey, webhookKeyText } from '../events/webhook-signature.ts'
import { openStateStore } from '../state/open-store.ts'
import { EXIT, EXIT_CODES_HELP } from './exit-codes.ts'
import { countText, plainText } from './figures.ts'
import { processLog } from './log.ts'
import { addSettings, settingsOf } from './settings-flags.ts'

/** Settings that say where deliveries are, and where they go. */
const LOG_SETTINGS = ['dataDir', 'redis', 'redisPrefix', 'webhookUrl'] as const
const MAX_LISTED = 10_000

interface ListFlags {
  readonly state?: readonly DeliveryState[]
  readonly recording?: string
  readonly limit: number
  readonly json?: true
}

interface ReplayFlags {
  readonly failed?: true
  readonly since?: number
  readonly id?: readonly string[]
}

/** `tapedeck webhooks list|replay|secret`. */
export function webhooksCommand(done: (exitCode: number) => void): Command {
  return new Command('webhooks')
    .description('Show what became of webhooks, send them again, print the secret that receivers check them with')
    .addCommand(listCommand(done))
    .addCommand(replayCommand(done))
    .addCommand(secretCommand(done))
    .addHelpText(
      'after',
      `
With the --data-dir or --redis, and the --webhook-url, of the server; it may be running.

Examples:
  tapedeck webhooks list --webhook-url https://example.org/hook --state dead
  tapedeck webhooks replay --webhook-url https://example.org/hook --failed
  tapedeck webhooks replay --webhook-url https://example.org/hook --since 2h
  tapedeck webhooks secret
${EXIT_CODES_HELP}`,
    )
}

function listCommand(done: (exitCode: number) => void): Command {
  const command = new Command('list')
    .description('Deliveries of the last days, newest first')
    .addOption(new Option('--state <state...>', 'only those in these states').choices(DELIVERY_STATES))
    .option('--recording <id>', 'only those about this recording')
    .addOption(new Option('--limit <n>', 'at most so many').default(100).argParser(limitOf))
    .option('--json', 'one JSON line per delivery on standard output')
  addSettings(command, LOG_SETTINGS)
  return command.action(async ({ state, recording, limit, json }: ListFlags) => {
    const found = await withLog(settingsOf(command), (log) =>
      log.list({
        limit,
        ...(state === undefined ? {} : { states: state }),
        ...(recording === undefined ? {} : { recordingId: recording }),
      }),
    )
    for (const delivery of found) process.stdout.write(json ? `${JSON.stringify(delivery)}\n` : describe(delivery))
    done(EXIT.ok)
  })
}

function replayCommand(done: (exitCode: number) => void): Command {
  const command = new Command('replay')
    .description('Send webhooks again, under the same ids; a running server does it within seconds')
    .option('--failed', 'all that were given up')
    .addOption(
      new Option('--since <time>', 'all since 2026-11-21T12:00:00Z, or since so long ago: 2h').argParser(timeOf),
    )
    .option('--id <id...>', 'these deliveries')
  addSettings(command, LOG_SETTINGS)
  return command.action(async (flags: ReplayFlags) => {
    const { failed, since, id: ids = [] } = flags
    if (!failed && since === undefined && ids.length === 0) throw flagError('replay', 'needs --failed, --since or --id')
    const code = await withLog(settingsOf(command), async (log) => {
      let count = 0
      for (const id of ids) {
        if (await log.replay(id)) count++
        else process.stdout.write(`${plainText(id)}: no delivery that has come to its end\n`)
      }
      const missed = ids.length - count
      if (failed || since !== undefined) {
        count += await log.replayAll({ onlyDead: failed === true, ...(since === undefined ? {} : { sinceMs: since }) })
      }
      process.stdout.write(`${countText(count, 'webhook')} to be sent again\n`)
      if (missed === 0) return EXIT.ok
      return count === 0 ? EXIT.failed : EXIT.partly
    })
    done(code)
  })
}

function secretCommand(done: (exitCode: number) => void): Command {
  const command = new Command('secret').description(
    'Print the secret that signs webhooks, as libraries for Standard Webhooks take it: whsec_…',
  )
  addSettings(command, ['dataDir', 'webhookSecretFile'])
  return command.action(() => {
    process.stdout.write(`${webhookKeyText(webhookKey(webhookSecret(settingsOf(command))))}\n`)
    done(EXIT.ok)
  })
}

async function withLog<T>(settings: Settings, use: (log: DeliveryLog) => Promise<T>): Promise<T> {
  const { dataDir, redis, redisPrefix: prefix, webhookUrl, logFormat } = settings
  if (webhookUrl === undefined) throw flagError('--webhook-url', 'is needed: the same as that of the server')
  const processLogger = processLog({ logLevel: 'error', logFormat })
  const lives = { stateTtlMs: settings.redisStateTtl, indexTtlMs: settings.redisIndexTtl }
  const { logger } = processLogger
  const store = await openStateStore({ dataDir, redisUrl: redis, prefix, ...lives, logger })
  try {
    return await use(new DeliveryLog(store.tasks, webhookUrl))
  } finally {
    await store.close()
    processLogger.flush()
  }
}

function describe(delivery: Delivery): string {
  const { delivery_id, state, type, recording_id, room_id, url, attempts, created_at, log } = delivery
  const about = recording_id === null ? (room_id === null ? '' : `room ${room_id}`) : `recording ${recording_id}`
  const facts = [state.padEnd(9), created_at, type, about, url, countText(attempts, 'attempt'), delivery_id]
  const error = state === 'delivered' ? undefined : log.findLast((attempt) => attempt.error !== null)?.error
  const line = facts.filter((fact) => fact !== '').map(plainText)
  return `${line.join('  ')}\n${error === undefined || error === null ? '' : `          ${plainText(error)}\n`}`
}

function timeOf(text: string): number {
  const agoMs = parseDuration(text)
  const timeMs = agoMs === undefined ? Date.parse(text) : Date.now() - agoMs
  if (!Number.isNaN(timeMs)) return timeMs
  throw flagError('--since', `"${text}" cannot be used; a time as 2026-11-21T12:00:00Z, or how long ago: 30m, 2h`)
}

function limitOf(text: string): number {
  const limit = Number(text)
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_LISTED) return limit
  throw flagError('--limit', `"${text}" cannot be used; 1 to ${MAX_LISTED}`)
}

function flagError(option: string, problem: string): ConfigError {
  return new ConfigError([{ option, source: 'flag', problem }])
}
