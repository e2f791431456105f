import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { ensureSystemPackages } from '../scripts/system-packages.ts'
import { catalogue } from './catalogue.ts'
import { idle } from './idle.ts'
import { long } from './long.ts'
import { flatOut, fsyncCost, realTime } from './recording.ts'
import { relay } from './relay.ts'
import { latencies, overhead, statusReads } from './service.ts'
import { receiving } from './webrtc.ts'
import { fanOut } from './whep.ts'

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '30' },
  },
})
const rounds = Number(values.rounds)
const seconds = Number(values.seconds)
const benchmarks: Readonly<Record<string, () => Promise<void>>> = {
  'real-time': () => realTime(rounds, seconds),
  'flat-out': () => flatOut(rounds),
  relay: () => relay(rounds, Math.min(seconds, 15)),
  idle,
  fsync: () => fsyncCost(1, seconds),
  long,
  api: () => statusReads(rounds),
  catalogue,
  latency: () => latencies(rounds),
  webrtc: () => receiving(rounds, Math.min(seconds, 15)),
  whep: () => fanOut(rounds, Math.min(seconds, 15)),
  overhead: () => overhead(rounds, Math.max(seconds, 60)),
}
const names = values.only ?? Object.keys(benchmarks)
const unknown = names.filter((name) => !(name in benchmarks))
if (unknown.length > 0) {
  console.error(`There is no benchmark ${unknown.join(', ')}; there are: ${Object.keys(benchmarks).join(', ')}`)
  process.exit(2)
}
if (!existsSync(join(import.meta.dirname, '../dist/cli/main.js'))) {
  console.error('Benchmarks run what users run: npm run build first')
  process.exit(2)
}
if (!ensureSystemPackages({ withJanus: names.includes('webrtc') })) process.exit(1)
for (const name of names) await benchmarks[name]()
