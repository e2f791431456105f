import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { z } from 'zod'
import { needsTurnSecret } from '../api/webrtc/ice-servers.ts'
import { ConfigError, type ConfigIssue, type ConfigSource } from './error.ts'
import { nearest } from './nearest.ts'
import { allOptions, environmentName, kebab, type Option } from './options.ts'
import { type ServerOptions, type Settings, settingsSchema } from './settings-schema.ts'

/** Largest config file that is read, bytes. */
const MAX_FILE_BYTES = 1024 * 1024
const DEFAULT_FILE = 'tapedeck.json'
const PREFIX = 'TAPEDECK_'
const FILE_VARIABLE = 'TAPEDECK_CONFIG'

/** Where settings are read from. Stronger first: flags, environment, file; what nobody says is the default. */
export interface ConfigInputs {
  /** By setting name: text, or true and false for switches. */
  readonly flags: Readonly<Record<string, unknown>>
  readonly environment: Readonly<Record<string, string | undefined>>
  /** `--config`; otherwise `TAPEDECK_CONFIG`, otherwise tapedeck.json in `directory` where there is one. */
  readonly configFile?: string | undefined
  readonly directory: string
}

/**
 * Reads, merges and checks all settings.
 * @throws ConfigError naming every setting that cannot be used
 */
export function readSettings(inputs: ConfigInputs): Settings {
  const issues: ConfigIssue[] = []
  const given = new Map<string, unknown>()
  const file = readConfigFile(inputs)
  const take = (option: Option, source: ConfigSource, written: string, value: unknown): void => {
    const result = parseValue(option, source, value)
    if (result.ok) given.set(option.name, result.input)
    else issues.push({ option: written, source, problem: result.problem })
  }
  for (const [option, written, value] of fileValues(file, issues)) take(option, 'file', written, value)
  for (const option of allOptions) {
    const name = environmentName(option.name)
    const value = inputs.environment[name]
    if (value !== undefined && value !== '') take(option, 'environment', name, value)
  }
  noteTypos(inputs.environment, issues)
  for (const option of allOptions) {
    const value = inputs.flags[option.name]
    if (value !== undefined) take(option, 'flag', flagName(option, value), value)
  }
  if (issues.length > 0) throw new ConfigError(issues)
  const settings = settingsSchema.parse(Object.fromEntries(given))
  checkTogether(settings)
  return settings
}

/**
 * Settings as a program gives them, completed with the defaults: `serverSettings({ rtmp: '*:1935', recordDir: '/srv' })`.
 * @throws ConfigError naming every setting that cannot be used
 */
export function serverSettings(options: ServerOptions = {}): Settings {
  const issues: ConfigIssue[] = []
  const names: readonly string[] = allOptions.map(({ name }) => name)
  for (const [name, value] of Object.entries(options)) {
    const option = allOptions.find((candidate) => candidate.name === name)
    const result = option === undefined || value === undefined ? undefined : parseValue(option, 'code', value)
    const problem = option === undefined ? unknownName(nearest(name, names), '"', '"') : undefined
    if (problem !== undefined) issues.push({ option: name, source: 'code', problem })
    else if (result?.ok === false) issues.push({ option: name, source: 'code', problem: result.problem })
  }
  if (issues.length > 0) throw new ConfigError(issues)
  const settings = settingsSchema.parse(options)
  checkTogether(settings)
  return settings
}

type Parsed = { readonly ok: true; readonly input: unknown } | { readonly ok: false; readonly problem: string }

/** Flags and variables are text, so a number or a switch may be meant; the first reading that fits counts. */
function parseValue(option: Option, source: ConfigSource, value: unknown): Parsed {
  let problem = ''
  for (const input of source === 'file' || source === 'code' || typeof value !== 'string' ? [value] : readings(value)) {
    const result = option.schema.safeParse(input)
    if (result.success) return { ok: true, input }
    problem ||= result.error.issues[0]?.message ?? ''
  }
  const given = typeof value === 'string' ? `"${value.slice(0, 200)}"` : JSON.stringify(value)?.slice(0, 200)
  return { ok: false, problem: `${given} cannot be used; ${option.allowed ?? problem}` }
}

function readings(text: string): unknown[] {
  const readings: unknown[] = [text]
  if (/^-?\d+(\.\d+)?$/.test(text)) readings.push(Number(text))
  if (/^(true|yes|on|1)$/i.test(text)) readings.push(true)
  if (/^(false|no|off|0)$/i.test(text)) readings.push(false)
  return readings
}

function flagName(option: Option, value: unknown): string {
  return option.isSwitch && value === false ? `--no-${kebab(option.name)}` : `--${kebab(option.name)}`
}

interface ConfigFile {
  readonly path: string
  readonly values: Readonly<Record<string, unknown>>
}

function readConfigFile(inputs: ConfigInputs): ConfigFile | undefined {
  const named = inputs.configFile ?? (inputs.environment[FILE_VARIABLE] || undefined)
  const source = inputs.configFile === undefined ? 'environment' : 'flag'
  const option = inputs.configFile === undefined ? FILE_VARIABLE : '--config'
  const path = resolve(inputs.directory, named ?? DEFAULT_FILE)
  const fail = (problem: string, cause?: unknown): never => {
    const issue: ConfigIssue =
      named === undefined
        ? { option: path, source: 'file', problem }
        : { option: `${option} ${named}`, source, problem }
    throw new ConfigError([issue], { cause })
  }
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (named === undefined && code === 'ENOENT') return undefined
    return fail(code === 'ENOENT' ? 'there is no such file' : `cannot be read (${String(code)})`, error)
  }
  if (text.length > MAX_FILE_BYTES) return fail(`is larger than ${MAX_FILE_BYTES} bytes`)
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    return fail(`is not JSON: ${error instanceof Error ? error.message : String(error)}`, error)
  }
  const object = z.record(z.string(), z.unknown()).safeParse(json)
  return object.success ? { path, values: object.data } : fail('must hold one JSON object, { "record-dir": … }')
}

/** Names in a file may be written like the flag or in camel case. `$schema` is left to editors. */
function* fileValues(file: ConfigFile | undefined, issues: ConfigIssue[]): Generator<[Option, string, unknown]> {
  if (file === undefined) return
  const names = allOptions.map((option) => kebab(option.name))
  for (const [key, value] of Object.entries(file.values)) {
    if (key === '$schema') continue
    const name = kebab(key)
    const option = allOptions.find((candidate) => kebab(candidate.name) === name || candidate.alias === name)
    const written = `"${key}" in ${file.path}`
    if (option !== undefined) yield [option, written, value]
    else issues.push({ option: written, source: 'file', problem: unknownName(nearest(name, names), '"', '"') })
  }
}

/**
 * A variable that is nearly one of ours is a mistake. Others are left alone: a container platform sets `TAPEDECK_PORT`
 * and its like for a service of that name.
 */
function noteTypos(environment: ConfigInputs['environment'], issues: ConfigIssue[]): void {
  const known = [...allOptions.map((option) => environmentName(option.name)), FILE_VARIABLE]
  const bare = known.map((name) => name.slice(PREFIX.length))
  for (const name of Object.keys(environment)) {
    if (!name.startsWith(PREFIX) || known.includes(name)) continue
    const meant = nearest(name.slice(PREFIX.length), bare)
    if (meant === undefined) continue
    issues.push({ option: name, source: 'environment', problem: unknownName(PREFIX + meant, '', '') })
  }
}

function unknownName(meant: string | undefined, open: string, close: string): string {
  return meant === undefined
    ? 'there is no such setting'
    : `there is no such setting; is ${open}${meant}${close} meant?`
}

function checkTogether(settings: Settings): void {
  const issues: ConfigIssue[] = []
  const flag = (option: string, problem: string): void => void issues.push({ option, source: 'flag', problem })
  if (settings.rtmps !== undefined && settings.tlsCert === undefined) flag('--rtmps', 'needs --tls-cert as well')
  if (settings.rtmps !== undefined && settings.tlsKey === undefined) flag('--rtmps', 'needs --tls-key as well')
  if (settings.rtmps === undefined && (settings.tlsCert ?? settings.tlsKey) !== undefined) {
    flag('--tls-cert, --tls-key', 'are of use only together with --rtmps')
  }
  if (settings.requireToken && settings.allowAnonymous) {
    flag('--allow-anonymous', 'contradicts --require-token; give one of them')
  }
  if (settings.jobConcurrency === 0 && settings.redis === undefined) {
    flag('--job-concurrency', '0 leaves jobs to "tapedeck worker", which takes them from Redis: give --redis as well')
  }
  const isShared = (settings.iceServer ?? []).some(needsTurnSecret)
  if (isShared && settings.turnSecretFile === undefined) {
    flag('--ice-server', 'turn: needs user:password before the host, or --turn-secret-file')
  }
  if (settings.turnSecretFile !== undefined && !isShared) {
    flag('--turn-secret-file', 'is of use only together with an --ice-server turn:host:port')
  }
  if (settings.rtmp === 'off' && settings.rtmps === undefined && settings.http === 'off') {
    flag('--rtmp', 'off, no --rtmps, and no --http for WHIP and uploads: nobody could publish')
  }
  if (issues.length > 0) throw new ConfigError(issues)
}
