import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { afterEach, expect, it } from 'vitest'
import { Placement } from '../../src/webrtc/link/placement.ts'
import { until } from '../peers/until.ts'

/** SCHED_BATCH, sched(7). */
const BATCH = 3
/** Works as hard as one thread can from each line that it is told to the next. */
const PROGRAM = `
let isBusy = false
const work = () => { if (isBusy) { const end = performance.now() + 50; while (performance.now() < end); setImmediate(work) } }
process.stdin.on('data', () => { isBusy = !isBusy; work() })
console.log('ready')
`
const children: ChildProcess[] = []
const placements: Placement[] = []

afterEach(() => {
  for (const placement of placements) placement.stop()
  for (const child of children) child.kill('SIGKILL')
})

/** Of each thread: how many CPUs it may use, and its scheduling policy. */
function threadsOf(pid: number): { cpus: number; policy: number }[] {
  return readdirSync(`/proc/${pid}/task`).map((thread) => {
    const place = `/proc/${pid}/task/${thread}`
    const stat = readFileSync(`${place}/stat`, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return { cpus: allowedBy(`${place}/status`), policy: Number(fields[38]) } // field 41 of proc(5)
  })
}

/** How many CPUs the status of a process or thread allows. */
function allowedBy(path: string): number {
  const mask = /^Cpus_allowed:\s*(\S+)/m.exec(readFileSync(path, 'latin1'))?.[1] ?? ''
  return BigInt(`0x${mask.replaceAll(',', '')}`)
    .toString(2)
    .replaceAll('0', '').length
}

it('keeps the threads of a process on one CPU until that gets crowded, and brings them back when it is roomy again', async () => {
  const all = allowedBy('/proc/self/status')
  const child = spawn(process.execPath, ['--eval', PROGRAM], { stdio: ['pipe', 'pipe', 'ignore'] })
  children.push(child)
  const { pid = 0 } = child
  await once(child.stdout, 'data')
  placements.push(new Placement(pid))
  const areOn = (cpus: number) => () => (threadsOf(pid).every((thread) => thread.cpus === cpus) ? true : undefined)
  await until('one CPU', areOn(1))
  await until('SCHED_BATCH', () => (threadsOf(pid).every(({ policy }) => policy === BATCH) ? true : undefined))
  child.stdin.write('work\n')
  await until('all CPUs', areOn(all))
  child.stdin.write('rest\n')
  await until('one CPU again', areOn(1))
})

it('of a process that is gone is none', async () => {
  const child = spawn(process.execPath, ['--eval', '0'], { stdio: 'ignore' })
  children.push(child)
  const { pid = 0 } = child
  await once(child, 'exit')
  expect(() => placements.push(new Placement(pid))).not.toThrow()
})
