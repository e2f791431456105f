import { uptime } from 'node:os'
import { processStat } from '../media/process-stat.ts'

/** Clocks of the system and of the process table may differ by so much, ms. */
const TOLERANCE_MS = 3000

/**
 * Whether process `pid` is alive and is the one that did something at `atMs` (wall clock): process ids are reused, after a
 * reboot above all, and in containers it is always the same one.
 */
export function isProcessOf(pid: number, atMs: number): boolean {
  const bootedAtMs = Date.now() - uptime() * 1000
  if (atMs < bootedAtMs - TOLERANCE_MS) return false
  if (!isAlive(pid)) return false
  const startedAtMs = startOf(pid, bootedAtMs)
  return startedAtMs === undefined || startedAtMs <= atMs + TOLERANCE_MS
}

function isAlive(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

/** When the process began, wall clock, ms; undefined where the system does not say. */
function startOf(pid: number, bootedAtMs: number): number | undefined {
  const stat = processStat(pid)
  return stat === undefined ? undefined : bootedAtMs + stat.startedS * 1000
}
