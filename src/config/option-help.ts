import { z } from 'zod'

/** Headings of the help, in its order. */
export const OPTION_GROUPS = [
  'Listening',
  'WebRTC',
  'Uploads',
  'Recording',
  'Recordings on request',
  'Retention',
  'Work after the stop',
  'Access',
  'Webhooks',
  'Limits',
  'State and logs',
] as const

/** What help and error messages say about an option. */
export interface OptionHelp {
  readonly group: (typeof OPTION_GROUPS)[number]
  readonly description: string
  /** What stands for the value in help; absent for switches. */
  readonly placeholder?: string
  /** What may be given, for error messages. */
  readonly allowed?: string
  /** A second name of the flag, without dashes. */
  readonly alias?: string
  /** The default in words, where there is no value to show. */
  readonly unset?: string
}

/** What is said about each option of `settingsSchema`. */
export const optionHelp = z.registry<OptionHelp>()

/** For messages about durations. */
export const DURATION_TEXT = 'a number with a unit: 500ms, 30s, 10m, 2h, 1h30m'

/** A whole number within bounds. */
export const wholeNumber = (min: number, max: number) => z.number().int().min(min).max(max)

/** A path as text. */
export const pathText = z.string().min(1).max(4096)
