import { parseArgs } from 'node:util'
import { attack, keep } from './attack.ts'
import { allTargets } from './targets.ts'

/** `npm run fuzz -- [--target NAME] [--runs N] [--seed N]`: a million inputs for each target, or as many as said. */
const { values } = parseArgs({
  options: {
    target: { type: 'string' },
    runs: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: String(Date.now() % 1e9) },
  },
})
const runs = Number(values.runs)
const seed = Number(values.seed)
const targets = (await allTargets()).filter(({ name }) => values.target === undefined || name === values.target)
if (targets.length === 0) {
  console.error(
    `There is no target ${values.target}; there are: ${(await allTargets()).map(({ name }) => name).join(', ')}`,
  )
  process.exit(2)
}
let broken = 0
for (const target of targets) {
  const startedAtMs = performance.now()
  const finding = await attack(target, runs, seed)
  const seconds = ((performance.now() - startedAtMs) / 1000).toFixed(1)
  const rss = Math.round(process.memoryUsage.rss() / 1e6)
  if (finding === undefined)
    console.log(`${target.name}: ${runs} inputs in ${seconds} s, RSS ${rss} MB, seed ${seed}: held`)
  else {
    broken++
    console.log(
      `${target.name}: BROKEN (seed ${seed}) by ${keep(target, finding.input, `found-${seed}.bin`)}\n${finding.reason}`,
    )
  }
}
process.exit(broken === 0 ? 0 : 1)
