import { readdirSync, readFileSync } from 'node:fs'

/** Clock ticks per second of /proc (USER_HZ), the same on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100

/** What a process and its descendants have cost so far. */
export interface Cost {
  readonly cpuSeconds: number
  readonly rssBytes: number
}

function statOf(pid: number): { parent: number; cpuSeconds: number } | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ')
    const ticks = Number(fields[11]) + Number(fields[12]) + Number(fields[13]) + Number(fields[14])
    return { parent: Number(fields[1]), cpuSeconds: ticks / TICKS_PER_SECOND }
  } catch {
    return undefined
  }
}

function rssOf(pid: number): number {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024
  } catch {
    return 0
  }
}

/** CPU (user and system, ended children included) and resident memory of the tree below `pid`, now. */
export function costOf(pid: number): Cost {
  const parents = new Map<number, number>()
  for (const name of readdirSync('/proc')) {
    const stat = /^\d+$/.test(name) ? statOf(Number(name)) : undefined
    if (stat !== undefined) parents.set(Number(name), stat.parent)
  }
  const inTree = (candidate: number | undefined): boolean =>
    candidate !== undefined && candidate > 1 && (candidate === pid || inTree(parents.get(candidate)))
  const tree = [...parents.keys()].filter(inTree)
  return {
    cpuSeconds: tree.reduce((sum, member) => sum + (statOf(member)?.cpuSeconds ?? 0), 0),
    rssBytes: tree.reduce((sum, member) => sum + rssOf(member), 0),
  }
}

/** Follows the resident memory of a tree until stopped; returns its peak. */
export function watchPeak(pid: number): () => number {
  let peak = 0
  const look = () => {
    peak = Math.max(peak, costOf(pid).rssBytes)
  }
  look()
  const timer = setInterval(look, 250)
  return () => {
    clearInterval(timer)
    look()
    return peak
  }
}
