import { Command, Option } from 'commander'
import { GRANTS, type Grant, TokenKeeper } from '../api/token.ts'
import { ConfigError, parseDuration, signingSecret } from '../config.ts'
import { EXIT, EXIT_CODES_HELP } from './exit-codes.ts'
import { addSettings, settingsOf } from './settings-flags.ts'

/** Longest life of a token, ms: a year. What should last longer should be another kind of secret. */
const MAX_TTL_MS = 366 * 86_400_000

interface TokenFlags {
  readonly room?: readonly string[]
  readonly name?: string
  readonly user?: string
  readonly ttl: string
  readonly publish?: true
  readonly play?: true
  readonly metrics?: true
}

/** `tapedeck token`. */
export function tokenCommand(done: (exitCode: number) => void): Command {
  const command = new Command('token')
    .description('Print a token that lets its holder publish or play in a room')
    .addOption(new Option('--room <room...>', 'rooms (the first part of the URL); "*" for all'))
    .option('--name <name>', 'one stream name only (the second part of the URL)')
    .option('--user <user>', 'whom it is for; shows up in logs')
    .option('--ttl <duration>', 'how long it holds, from now: 30s, 10m, 1h, 7d', '1h')
    .option('--publish', 'to publish; with neither --publish nor --play it is for both')
    .option('--play', 'to play')
    .option('--metrics', 'to read /metrics')
    .addHelpText(
      'after',
      `
The token goes behind the stream name: rtmp://host/{room}/{name}?token=…, and to /metrics as "Authorization: Bearer …".
It is signed with the secret of the server that has the same --data-dir.

Examples:
  tapedeck token --room standup --name alice --publish --ttl 8h
  ffmpeg -re -i in.mp4 -c copy -f flv "rtmp://media.example.org/standup/alice?token=$(tapedeck token --room standup)"
  tapedeck token --metrics --ttl 90d
${EXIT_CODES_HELP}`,
    )
  addSettings(command, ['dataDir', 'jwtSecretFile'])
  return command.action(async (flags: TokenFlags) => {
    const { ttlMs, rooms, grants } = readFlags(flags)
    const keeper = new TokenKeeper(signingSecret(settingsOf(command)))
    const who = flags.user === undefined ? {} : { user: flags.user }
    const name = flags.name === undefined ? {} : { participant: flags.name }
    process.stdout.write(`${await keeper.issue({ ...who, ...name, rooms, grants }, ttlMs)}\n`)
    done(EXIT.ok)
  })
}

function readFlags(flags: TokenFlags): { ttlMs: number; rooms: '*' | string[]; grants: Grant[] } {
  const asked = GRANTS.filter((grant) => flags[grant] === true)
  const rooms = flags.room ?? []
  const grants: Grant[] = asked.length > 0 || rooms.length === 0 ? asked : ['publish', 'play']
  const ttlMs = parseDuration(flags.ttl)
  if (ttlMs === undefined || ttlMs < 1000 || ttlMs > MAX_TTL_MS) {
    throw flagError('--ttl', `"${flags.ttl}" cannot be used; 1s to 366d, such as 30s, 10m, 1h, 7d`)
  }
  if (rooms.length === 0 && grants.some((grant) => grant !== 'metrics')) {
    throw flagError('--room', 'is needed with --publish and --play; "*" stands for all rooms')
  }
  if (grants.length === 0) throw flagError('--room', 'is needed: a token for nothing is of no use')
  return { ttlMs, rooms: rooms.includes('*') ? '*' : [...rooms], grants }
}

function flagError(option: string, problem: string): ConfigError {
  return new ConfigError([{ option, source: 'flag', problem }])
}
