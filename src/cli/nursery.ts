import { accessSync, constants } from 'node:fs'

/** Size of one half of V8's nursery, MB. Its own limit lets the nursery alone grow to 130 MB of resident memory. */
const SEMI_SPACE_MB = 2
const FLAG = '--max-semi-space-size'

/**
 * Begins this process anew, in place (the same pid, the same standard streams), with a small nursery: a media server makes
 * few and short-lived objects, so that a larger one is memory and nothing else. Returns where that is so already, where the
 * flag is given to Node or stands in NODE_OPTIONS, and where the system cannot do it (Windows).
 */
export function limitNursery(): void {
  const isChosen = [...process.execArgv, process.env.NODE_OPTIONS ?? ''].some((argument) => argument.includes(FLAG))
  if (isChosen || process.platform === 'win32' || process.execve === undefined || !isExecutable(process.execPath))
    return
  const args = [...process.execArgv, `${FLAG}=${SEMI_SPACE_MB}`, ...process.argv.slice(1)]
  process.execve(process.execPath, [process.execPath, ...args], process.env)
}

/** Looked at first, as a failing execve ends the process. */
function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
