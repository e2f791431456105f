import { Command, Option } from 'commander'
import { ROLES } from '../api/caller.ts'
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
  readonly role?: (typeof ROLES)[number]
  readonly ttl: string
  readonly publish?: true
  readonly play?: true
  readonly metrics?: true
}

/** `tapedeck token`. */
export function tokenCommand(done: (exitCode: number) => void): Command {
  const command = new Command('token')
    .description('Print a token that lets its holder publish, play, or use the API')
    .addOption(new Option('--room <room...>', 'rooms (the first part of the URL); "*" for all'))
    .option('--name <name>', 'one stream name only (the second part of the URL)')
    .option(
      '--user <user>',
      'whom it is for: lets them record in the rooms, and command and fetch their own recordings',
    )
    .addOption(new Option('--role <role>', 'what its holder may do with the recordings of others').choices(ROLES))
    .option('--ttl <duration>', 'how long it holds, from now: 30s, 10m, 1h, 7d', '1h')
    .option('--publish', 'to publish; with a room and neither --publish nor --play it is for both')
    .option('--play', 'to play')
    .option('--metrics', 'to read /metrics')
    .addHelpText(
      'after',
      `
The token goes behind the stream name: rtmp://host/{room}/{name}?token=…, and to the API and /metrics as
"Authorization: Bearer …". Roles, in the rooms of the token: viewer (sees recordings), operator (commands them, too),
admin (deletes them, too; without --room in all rooms).
It is signed with the secret of the server that has the same --data-dir.

Examples:
  tapedeck token --user alice --room demo --ttl 1h
  tapedeck token --role admin --ttl 10m
  tapedeck token --room standup --name alice --publish --ttl 8h
  ffmpeg -re -i in.mp4 -c copy -f flv "rtmp://media.example.org/standup/alice?token=$(tapedeck token --room standup)"
  tapedeck token --metrics --ttl 90d
${EXIT_CODES_HELP}`,
    )
  addSettings(command, ['dataDir', 'jwtSecretFile'])
  return command.action(async (flags: TokenFlags) => {
    const { ttlMs, ...claims } = readFlags(flags)
    const keeper = new TokenKeeper(signingSecret(settingsOf(command)))
    process.stdout.write(`${await keeper.issue(claims, ttlMs)}\n`)
    done(EXIT.ok)
  })
}

type Claims = Parameters<TokenKeeper['issue']>[0]

function readFlags(flags: TokenFlags): Claims & { ttlMs: number } {
  const asked = GRANTS.filter((grant) => flags[grant] === true)
  const rooms = flags.room ?? []
  const grants: Grant[] = asked.length > 0 || rooms.length === 0 ? asked : ['publish', 'play']
  const ttlMs = parseDuration(flags.ttl)
  if (ttlMs === undefined || ttlMs < 1000 || ttlMs > MAX_TTL_MS) {
    throw flagError('--ttl', `"${flags.ttl}" cannot be used; 1s to 366d, such as 30s, 10m, 1h, 7d`)
  }
  if (rooms.length === 0 && (grants.some((grant) => grant !== 'metrics') || needsRoom(flags.role))) {
    throw flagError('--room', 'is needed with --publish, --play and roles below admin; "*" stands for all rooms')
  }
  if (grants.length === 0 && flags.role === undefined) {
    throw flagError('--room', 'is needed: a token for nothing is of no use')
  }
  const { user, role, name: participant } = flags
  return {
    ...(user === undefined ? {} : { user }),
    ...(role === undefined ? {} : { role }),
    ...(participant === undefined ? {} : { participant }),
    ...(rooms.length === 0 ? {} : { rooms: rooms.includes('*') ? '*' : [...rooms] }),
    grants,
    ttlMs,
  }
}

function needsRoom(role: TokenFlags['role']): boolean {
  return role === 'operator' || role === 'viewer'
}

function flagError(option: string, problem: string): ConfigError {
  return new ConfigError([{ option, source: 'flag', problem }])
}
