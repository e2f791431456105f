import { Command } from 'commander'
import { EXIT_CODES_HELP } from './exit-codes.ts'
import { limitNursery } from './nursery.ts'
import { addSettings, settingsOf } from './settings-flags.ts'

/** `tapedeck serve`. */
export function serveCommand(done: (exitCode: number) => void): Command {
  const command = new Command('serve')
    .description('Take streams over RTMP and WHIP, pass them on to players, and record every one of them')
    .addHelpText(
      'after',
      `
Settings come from flags, then TAPEDECK_… variables, then the config file; the first that says something counts.
Where to publish and where files go is printed on standard output, log lines go to standard error.
The first Ctrl-C (or SIGTERM) finishes all recordings and stops; a second one leaves at once, and the next start
repairs what was left.

Examples:
  tapedeck serve
  tapedeck serve --record-dir /srv/recordings --record-format mkv --record-max-duration 1h
  tapedeck serve --rtmp '*:1935'          on every address: then publishing and playing from elsewhere needs a token,
                                          see "tapedeck token --help"
  TAPEDECK_RECORD_DIR=/srv/recordings tapedeck serve --config /etc/tapedeck.json
${EXIT_CODES_HELP}`,
    )
  addSettings(command)
  return command.action(async () => {
    const settings = settingsOf(command)
    limitNursery()
    const { serve } = await import('./serve.ts') // help and mistakes need not wait for all that a server is
    done(await serve(settings))
  })
}
