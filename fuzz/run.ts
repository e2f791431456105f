import { parseArgs } from 'node:util'
import { type Attack, attack } from './attack.ts'
import { keep } from './corpus.ts'
import type { FuzzTarget } from './target.ts'
import { allTargets } from './targets.ts'
import { Watchdog } from './watchdog.ts'

/** `npm run fuzz -- [--target NAME]… [--runs N] [--seed N]`: a million inputs for each target, or as many as said. */
const { values } = parseArgs({
  options: {
    target: { type: 'string', multiple: true },
    runs: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: String(Date.now() % 1e9) },
  },
})
const runs = Number(values.runs)
const seed = Number(values.seed)
const all = await allTargets()
const unknown = (values.target ?? []).filter((name) => !all.some((target) => target.name === name))
if (unknown.length > 0 || !(runs > 0) || !Number.isInteger(seed)) {
  console.error(`There is no target ${unknown.join(', ')}; there are: ${all.map(({ name }) => name).join(', ')}`)
  process.exit(2)
}
const watchdog = new Watchdog()
const rows: string[][] = []
let broken = 0
for (const target of all.filter(({ name }) => values.target?.includes(name) ?? true)) {
  const startedAtMs = performance.now()
  const result = await attack(target, runs, seed, watchdog)
  const seconds = (performance.now() - startedAtMs) / 1000
  if (result.finding !== undefined) {
    broken++
    report(target, result)
  }
  rows.push(row(target, result, seconds))
  console.log(`${target.name}: ${result.inputs} inputs in ${seconds.toFixed(1)} s, ${rows.at(-1)?.at(-1)}`)
}
summary()
await watchdog.close()
process.exit(broken === 0 ? 0 : 1)

function report({ name }: FuzzTarget, { finding }: Attack): void {
  if (finding === undefined) return
  const kept = finding.input === undefined ? 'all inputs together' : keep(name, finding.input, `found-${seed}.bin`)
  console.log(`${name}: BROKEN by ${kept}\n${finding.reason}`)
}

function row({ name }: FuzzTarget, result: Attack, seconds: number): string[] {
  const { finding, inputs, refused, slowestMs, largestBytes, leakedBytes } = result
  return [
    name,
    String(inputs),
    seconds.toFixed(1),
    `${((refused / inputs) * 100).toFixed(0)} %`,
    slowestMs.toFixed(0),
    (largestBytes / 1e6).toFixed(1),
    (leakedBytes / 1e6).toFixed(2),
    finding === undefined ? 'held' : 'BROKEN',
  ]
}

function summary(): void {
  const head = ['target', 'inputs', 'seconds', 'refused', 'slowest ms', 'largest MB', 'growth MB', '']
  const widths = head.map((cell, i) => Math.max(cell.length, ...rows.map((cells) => cells[i].length)))
  console.log(`\nseed ${seed}, RSS ${Math.round(process.memoryUsage.rss() / 1e6)} MB at the end`)
  for (const cells of [head, widths.map((width) => '-'.repeat(width)), ...rows]) {
    console.log(`| ${cells.map((cell, i) => cell.padEnd(widths[i])).join(' | ')} |`)
  }
  console.log(`\n${rows.length - broken} held, ${broken} broken`)
}
