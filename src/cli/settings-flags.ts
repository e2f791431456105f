import { type Command, Option as Flag } from 'commander'
import {
  allOptions,
  environmentName,
  kebab,
  type Option,
  readSettings,
  type SettingName,
  type Settings,
} from '../config.ts'

/** Gives `command` the flags of the settings in `names`, all of them when absent, and `--config`. */
export function addSettings(command: Command, names?: readonly SettingName[]): void {
  for (const option of allOptions) {
    if (names !== undefined && !names.includes(option.name)) continue
    command.addOption(flagOf(option))
    if (option.isSwitch && option.defaultText === 'true') command.addOption(negated(option))
  }
  const config =
    'Read settings from this file (JSON, names like the flags); otherwise tapedeck.json, where there is one'
  command.addOption(new Flag('--config <file>', `${config} [env: TAPEDECK_CONFIG]`).helpGroup('State and logs:'))
}

/** The settings that flags of `command`, the environment and the config file make. @throws ConfigError */
export function settingsOf(command: Command): Settings {
  const { config, ...flags } = command.opts<Record<string, unknown>>()
  return readSettings({
    flags,
    environment: process.env,
    configFile: typeof config === 'string' ? config : undefined,
    directory: process.cwd(),
  })
}

function flagOf(option: Option): Flag {
  const alias = option.alias === undefined ? '' : `--${option.alias}, `
  const value = option.isSwitch ? '' : ` <${option.placeholder ?? 'value'}>`
  const fallback = option.defaultText === undefined || option.defaultText === 'false' ? '' : ` [${defaultOf(option)}]`
  const text = `${option.description}${fallback} [env: ${environmentName(option.name)}]`
  return new Flag(`${alias}--${kebab(option.name)}${value}`, text).helpGroup(`${option.group}:`)
}

function defaultOf(option: Option): string {
  if (option.isSwitch) return option.defaultText === 'true' ? 'the default' : 'off'
  return `default: ${option.defaultText}`
}

function negated(option: Option): Flag {
  return new Flag(`--no-${kebab(option.name)}`, `Not that: ${negation(option)}`).helpGroup(`${option.group}:`)
}

function negation(option: Option): string {
  return option.name === 'recordAll' ? 'relay only, record nothing by itself' : option.description
}
