import { readFileSync } from 'node:fs'

/** Ticks per second of its times (proc(5), sysconf(_SC_CLK_TCK)): 100 on every Linux that Node runs on. */
const CLOCK_TICKS_PER_S = 100

/** What `/proc/{pid}/stat` says of a process: seconds. */
export interface ProcessStat {
  /** From the boot of the system to its beginning. */
  readonly startedS: number
  /** That all its threads have used, in user and kernel mode. */
  readonly cpuS: number
}

/** Undefined where the process is gone, or the system does not say. */
export function processStat(pid: number): ProcessStat | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ') // from field 3, `state`, on
    const seconds = (field: number) => Number(fields[field - 3]) / CLOCK_TICKS_PER_S
    const [startedS, cpuS] = [seconds(22), seconds(14) + seconds(15)]
    return Number.isFinite(startedS) && Number.isFinite(cpuS) ? { startedS, cpuS } : undefined
  } catch {
    return undefined
  }
}
