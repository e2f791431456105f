import { Command } from 'commander'
import { EXIT_CODES_HELP } from './exit-codes.ts'
import { addSettings, settingsOf } from './settings-flags.ts'

/** `tapedeck worker`. */
export function workerCommand(done: (exitCode: number) => void): Command {
  const command = new Command('worker')
    .description('Do the work after recordings (renditions, thumbnails) for servers on the same Redis')
    .addHelpText(
      'after',
      `
The recording directory of the servers must be mounted here; the files of jobs are named relative to it. Give the servers
--job-concurrency 0 to leave all work to workers. What a worker leaves when it dies is done by another.

Examples:
  tapedeck worker --redis redis://127.0.0.1:6379 --record-dir /srv/recordings
  tapedeck worker --redis redis://10.0.0.5:6379 --record-dir /mnt/recordings --job-concurrency 4
${EXIT_CODES_HELP}`,
    )
  addSettings(command, [
    ...(['redis', 'redisPrefix', 'recordDir', 'jobConcurrency', 'ffmpeg'] as const),
    ...(['dataDir', 'nodeName', 'logLevel', 'logFormat'] as const),
  ])
  return command.action(async () => {
    const settings = settingsOf(command)
    const { runWorker } = await import('./worker.ts') // help and mistakes need not wait for all that a worker is
    done(await runWorker(settings))
  })
}
