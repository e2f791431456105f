import { readFileSync } from 'node:fs'
import { uptime } from 'node:os'

/** Ticks per second of `/proc/{pid}/stat` (proc(5), sysconf(_SC_CLK_TCK)): 100 on every Linux that Node runs on. */
const CLOCK_TICKS_PER_S = 100
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
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const afterName = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const startTicks = Number(afterName[19]) // field 22, starttime; the first after the name is field 3
    return Number.isFinite(startTicks) ? bootedAtMs + (startTicks * 1000) / CLOCK_TICKS_PER_S : undefined
  } catch {
    return undefined
  }
}
