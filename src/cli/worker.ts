import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { ConfigError, type Settings } from '../config.ts'
import { BullJobQueue } from '../jobs/bull/queue.ts'
import { probeFfmpeg } from '../jobs/ffmpeg/facts.ts'
import { createJobHandler } from '../jobs/ffmpeg/handler.ts'
import { packageVersion } from '../server/version.ts'
import { nodeIdentity } from '../state/node-identity.ts'
import { EXIT } from './exit-codes.ts'
import { countText } from './figures.ts'
import { processLog } from './log.ts'
import { StopSignal } from './stop-signal.ts'

/**
 * Does jobs until a signal ends it. Resolves to the exit code.
 * @throws ConfigError without Redis, or without the recordings
 * @throws FfmpegMissingError
 */
export async function runWorker(settings: Settings): Promise<number> {
  const { redis, recordDir } = checked(settings)
  const log = processLog(settings)
  const stopSignal = new StopSignal(() => {
    log.flush()
    process.exit(EXIT.interrupted)
  })
  try {
    await probeFfmpeg(settings.ffmpeg) // a worker without it would only make dead letters of jobs
    const { redisPrefix: prefix, ffmpeg: ffmpegPath, jobConcurrency: concurrency } = settings
    const { logger } = log
    const node = nodeIdentity(settings.dataDir, settings.nodeName)
    const queue = new BullJobQueue({ redisUrl: redis, prefix, node, logger })
    queue.work(createJobHandler({ recordDir, ffmpegPath, logger }), { concurrency })
    process.stdout.write(welcome(redis, recordDir, concurrency))
    const signal = await stopSignal.first
    logger.info({ signal }, 'putting back what runs')
    process.stdout.write('stopping: what runs is put back\n')
    await queue.close()
    return EXIT.ok
  } finally {
    stopSignal.release()
    log.flush()
  }
}

function checked({ redis, recordDir, jobConcurrency }: Settings): { redis: string; recordDir: string } {
  if (redis === undefined) {
    const problem =
      'is needed: a worker takes its jobs from the Redis of the servers; without one they do them themselves'
    throw new ConfigError([{ option: '--redis', source: 'flag', problem }])
  }
  if (jobConcurrency === 0) {
    throw new ConfigError([
      { option: '--job-concurrency', source: 'flag', problem: 'a worker does at least 1 at a time' },
    ])
  }
  const directory = resolve(recordDir)
  if (!statSync(directory, { throwIfNoEntry: false })?.isDirectory()) {
    const problem = `${directory} is no directory; mount what the servers record to`
    throw new ConfigError([{ option: '--record-dir', source: 'flag', problem }])
  }
  return { redis, recordDir: directory }
}

function welcome(redis: string, recordDir: string, concurrency: number): string {
  return [
    `tapedeck ${packageVersion()} worker, ${countText(concurrency, 'job')} at a time`,
    `  queue     Redis at ${URL.parse(redis)?.host ?? redis}`,
    `  files     ${recordDir}`,
    '  Ctrl-C puts back what runs and stops; a second one leaves at once',
    '',
  ].join('\n')
}
