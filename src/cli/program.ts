import { Command, CommanderError } from 'commander'
import { packageVersion } from '../server/version.ts'
import { EXIT, EXIT_CODES_HELP } from './exit-codes.ts'
import { inspectCommand } from './inspect-command.ts'
import { jobsCommand } from './jobs-command.ts'
import { exitCodeOf, reportProblem } from './problem.ts'
import { recordCommand } from './record-command.ts'
import { reindexCommand } from './reindex-command.ts'
import { repairCommand } from './repair-command.ts'
import { serveCommand } from './serve-command.ts'
import { tokenCommand } from './token-command.ts'
import { webhooksCommand } from './webhooks-command.ts'
import { workerCommand } from './worker-command.ts'

/** Runs one command line. Resolves to the exit code; tells a person about everything that goes wrong. */
export async function main(args: readonly string[]): Promise<number> {
  let exitCode: number = EXIT.ok
  const done = (code: number): void => {
    exitCode = code
  }
  const program = new Command('tapedeck')
    .description(
      'A recording server for live media: RTMP, WebRTC and uploads in; MP4, FLV, WebM and Matroska files out that play, whatever dies.',
    )
    .version(packageVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command]', 'print help of a command')
    .addHelpText(
      'after',
      `
Examples:
  tapedeck serve                                        take rtmp://127.0.0.1/{room}/{name}, keep it in ./recordings
  ffmpeg -re -i in.mp4 -c copy -f flv rtmp://127.0.0.1/live/test
  tapedeck record rtmp://127.0.0.1/live/test -o copy.mp4
  tapedeck inspect copy.mp4
${EXIT_CODES_HELP}`,
    )
  const commands = [
    ...[serveCommand, workerCommand, recordCommand, repairCommand, reindexCommand, inspectCommand],
    ...[jobsCommand, webhooksCommand, tokenCommand],
  ]
  for (const make of commands) program.addCommand(make(done))
  settle(program, '')
  try {
    await program.parseAsync(args, { from: 'user' })
    return exitCode
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage
    reportProblem(error, showsCauses(args))
    return exitCodeOf(error)
  }
}

/** Mistakes in a command, and in those below it, are told by `main`. */
function settle(command: Command, above: string): void {
  const name = `${above}${command.name()}`
  command.exitOverride().showHelpAfterError(`(${name} --help says what there is)`)
  for (const each of command.commands) settle(each, `${name} `)
}

function showsCauses(args: readonly string[]): boolean {
  return args.includes('--log-level=debug') || args[args.indexOf('--log-level') + 1] === 'debug'
}
