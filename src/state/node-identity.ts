import { randomBytes } from 'node:crypto'
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { StateError } from './sqlite-journal.ts'

const NAME = /^[\w.-]{1,64}$/

/**
 * What this server is called among those that share its state: `configuredName`, or the name in `{dataDir}/node`, which is
 * made once.
 * @throws StateError
 */
export function nodeIdentity(dataDir: string, configuredName?: string): string {
  if (configuredName !== undefined) return configuredName
  const path = join(dataDir, 'node')
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 })
    return readName(path) ?? makeName(path)
  } catch (error) {
    throw new StateError(path, error)
  }
}

function readName(path: string): string | undefined {
  let name: string
  try {
    name = readFileSync(path, 'utf8').trim()
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
  if (!NAME.test(name)) throw new Error('it holds no name of letters, digits, dots and dashes')
  return name
}

/** Whole or not at all, and the first to make it wins. */
function makeName(path: string): string {
  const host =
    hostname()
      .split('.')[0]
      ?.replace(/[^\w-]/g, '-')
      .slice(0, 40) || 'node'
  const own = `${path}.${randomBytes(6).toString('hex')}`
  writeFileSync(own, `${host}-${randomBytes(4).toString('hex')}\n`, { mode: 0o600, flag: 'wx' })
  try {
    linkSync(own, path)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  } finally {
    rmSync(own)
  }
  const name = readName(path)
  if (name === undefined) throw new Error('it was removed in the moment it was made')
  return name
}
