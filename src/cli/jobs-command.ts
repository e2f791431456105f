import { Command, Option } from 'commander'
import { ConfigError, type Settings } from '../config.ts'
import type { JobQueue, JobState, JobStatus } from '../jobs/job.ts'
import { EXIT, EXIT_CODES_HELP } from './exit-codes.ts'
import { countText, plainText, timeText } from './figures.ts'
import { QUEUE_SETTINGS, withJobQueue } from './job-queue.ts'
import { processLog } from './log.ts'
import { addSettings, settingsOf } from './settings-flags.ts'

const STATES = ['waiting', 'running', 'dead', 'done', 'cancelled'] as const satisfies readonly JobState[]
/** What somebody wants to know who asks what there is to do. */
const OPEN: readonly JobState[] = ['waiting', 'running', 'dead']
const MAX_LISTED = 1000

interface ListFlags {
  readonly state?: readonly JobState[]
  readonly limit: number
  readonly json?: true
}

/** `tapedeck jobs list|retry|cancel`. */
export function jobsCommand(done: (exitCode: number) => void): Command {
  return new Command('jobs')
    .description('Show the work after recordings: what waits, runs or failed for good; try it again, or cancel it')
    .addCommand(listCommand(done))
    .addCommand(retryCommand(done))
    .addCommand(cancelCommand(done))
    .addHelpText(
      'after',
      `
Examples:
  tapedeck jobs list
  tapedeck jobs list --state dead --json
  tapedeck jobs retry --dead
  tapedeck jobs cancel 0f2c-rendition-1
${EXIT_CODES_HELP}`,
    )
}

function listCommand(done: (exitCode: number) => void): Command {
  const command = new Command('list')
    .description('Jobs that wait, run or are dead, newest first')
    .addOption(new Option('--state <state...>', 'those in these states instead').choices(STATES))
    .addOption(new Option('--limit <n>', 'at most so many').default(100).argParser(limitOf))
    .option('--json', 'one JSON line per job on standard output')
  addSettings(command, QUEUE_SETTINGS)
  return command.action(async ({ state = OPEN, limit, json }: ListFlags) => {
    const text = await withQueue(settingsOf(command), async (queue) => {
      const jobs = await queue.list({ states: state, limit })
      if (json) return jobs.map((status) => `${JSON.stringify(status)}\n`).join('')
      const { waiting, running, dead } = await queue.depth()
      return `${jobs.map(describeJob).join('')}${waiting} waiting, ${running} running, ${dead} dead\n`
    })
    process.stdout.write(text)
    done(EXIT.ok)
  })
}

function retryCommand(done: (exitCode: number) => void): Command {
  const command = new Command('retry')
    .description('Try dead or cancelled jobs again')
    .argument('[id...]', 'their ids')
    .option('--dead', 'all that are dead')
  addSettings(command, QUEUE_SETTINGS)
  return command.action(async (ids: string[], flags: { dead?: true }) => {
    if (ids.length === 0 && flags.dead === undefined) throw noJobNamed('retry')
    const code = await withQueue(settingsOf(command), async (queue) => {
      const dead = flags.dead ? await queue.list({ states: ['dead'], limit: MAX_LISTED }) : []
      const all = new Set([...ids, ...dead.map(({ job }) => job.job_id)])
      if (all.size === 0) process.stdout.write('no job is dead\n')
      return forEach(all, (id) => queue.retry(id), ['waits again', 'is neither dead nor cancelled'])
    })
    done(code)
  })
}

function cancelCommand(done: (exitCode: number) => void): Command {
  const command = new Command('cancel')
    .description('Cancel jobs that wait or run, wherever they run')
    .argument('<id...>', 'their ids')
  addSettings(command, QUEUE_SETTINGS)
  return command.action(async (ids: string[]) => {
    const code = await withQueue(settingsOf(command), (queue) =>
      forEach(new Set(ids), (id) => queue.cancel(id), ['cancelled', 'neither waits nor runs']),
    )
    done(code)
  })
}

async function withQueue<T>(settings: Settings, use: (queue: JobQueue) => Promise<T>): Promise<T> {
  const log = processLog({ logLevel: 'error', logFormat: settings.logFormat })
  try {
    return await withJobQueue(settings, log.logger, use)
  } finally {
    log.flush()
  }
}

async function forEach(
  ids: ReadonlySet<string>,
  act: (id: string) => Promise<boolean>,
  [yes, no]: readonly [string, string],
): Promise<number> {
  let acted = 0
  for (const id of ids) {
    const isDone = await act(id)
    if (isDone) acted++
    process.stdout.write(`${plainText(id)} ${isDone ? yes : no}\n`)
  }
  if (acted === ids.size) return EXIT.ok
  return acted === 0 ? EXIT.failed : EXIT.partly
}

function describeJob({ job, state, percent, etaSeconds, attempts, error }: JobStatus): string {
  const facts = [`${state.padEnd(9)} ${plainText(job.job_id)}`, job.kind, `recording ${plainText(job.recording_id)}`]
  if (state === 'running') facts.push(`${Math.floor(percent)} %`)
  if (etaSeconds !== null) facts.push(`${timeText(etaSeconds * 1000).slice(0, 8)} to go`)
  if (attempts > 1) facts.push(countText(attempts, 'attempt'))
  const why = error === undefined || state === 'done' ? '' : `          ${plainText(error.message)} (${error.code})\n`
  return `${facts.join('  ')}\n${why}`
}

function limitOf(text: string): number {
  const limit = Number(text)
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_LISTED) return limit
  throw new ConfigError([
    { option: '--limit', source: 'flag', problem: `"${text}" cannot be used; 1 to ${MAX_LISTED}` },
  ])
}

function noJobNamed(verb: string): ConfigError {
  return new ConfigError([{ option: '<id>', source: 'flag', problem: `name the jobs to ${verb}, or give --dead` }])
}
