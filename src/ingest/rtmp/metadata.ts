import type { AmfValue } from '../../container/flv/amf-value.ts'

/** Members kept of an encoder's onMetaData: OBS sends some 20. */
const MAX_MEMBERS = 64
/** Characters kept of each name and each text. */
const MAX_CHARACTERS = 256

/**
 * What an encoder says about itself (`['onMetaData', {…}]`), cut to flat members of bounded size; undefined when the message
 * is something else. It is shown to people and passed on to players, never trusted.
 */
export function encoderMetadata(values: readonly AmfValue[]): Record<string, string | number | boolean> | undefined {
  const [name, members] = values
  if (name !== 'onMetaData' || members === null || typeof members !== 'object') return undefined
  if (Array.isArray(members) || members instanceof Date) return undefined
  const kept = new Map<string, string | number | boolean>()
  for (const [key, value] of Object.entries(members)) {
    if (kept.size === MAX_MEMBERS) break
    if (key.length > MAX_CHARACTERS) continue
    if (typeof value === 'string') kept.set(key, value.slice(0, MAX_CHARACTERS))
    else if (typeof value === 'number' || typeof value === 'boolean') kept.set(key, value)
  }
  return Object.fromEntries(kept)
}
