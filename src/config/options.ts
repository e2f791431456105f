import { z } from 'zod'
import { type OptionHelp, optionHelp } from './option-help.ts'
import { type SettingName, settingsSchema } from './settings-schema.ts'

/** `recordDir` → `record-dir`. */
export function kebab(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

/** `recordDir` → `TAPEDECK_RECORD_DIR`. */
export function environmentName(name: string): string {
  return `TAPEDECK_${kebab(name).replaceAll('-', '_').toUpperCase()}`
}

/** One option of the schema, opened up for help and for messages. */
export interface Option extends OptionHelp {
  readonly name: SettingName
  readonly schema: z.ZodType
  readonly isSwitch: boolean
  /** As a user would write it; undefined when there is none. */
  readonly defaultText: string | undefined
}

/** Every option in the order of the schema. */
export const allOptions: readonly Option[] = Object.keys(settingsSchema.shape).map(describe)

function isSettingName(name: string): name is SettingName {
  return Object.hasOwn(settingsSchema.shape, name)
}

function describe(name: string): Option {
  if (!isSettingName(name)) throw new TypeError(name)
  const schema = settingsSchema.shape[name]
  const help = optionHelp.get(schema)
  if (help === undefined) throw new TypeError(`${name} has no help`)
  const fallback: unknown = 'defaultValue' in schema.def ? schema.def.defaultValue : undefined
  const allowed = help.allowed ?? allowedBy(schema)
  return {
    ...help,
    ...(allowed === undefined ? {} : { allowed }),
    name,
    schema,
    isSwitch: typeof fallback === 'boolean',
    defaultText: help.unset ?? (fallback === undefined ? undefined : String(fallback)),
  }
}

function allowedBy(schema: z.ZodType): string | undefined {
  const inner = schema instanceof z.ZodDefault ? schema.def.innerType : schema
  if (inner instanceof z.ZodEnum) return inner.options.join(', ')
  if (inner instanceof z.ZodBoolean) return 'true or false'
  if (inner instanceof z.ZodNumber) return `a whole number from ${inner.minValue} to ${inner.maxValue}`
  return undefined
}
