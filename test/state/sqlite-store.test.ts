import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { afterAll, describe } from 'vitest'
import { scratch } from '../peers/tapedeck.ts'
import { eventsConform } from './events-conformance.ts'
import { agreesWithModel } from './model-conformance.ts'
import { recordingsConform } from './recordings-conformance.ts'
import { scales } from './scale-conformance.ts'
import { StoreBench } from './store-bench.ts'
import { tasksConform } from './tasks-conformance.ts'

const directory = scratch('state')
const benches: StoreBench[] = []
afterAll(async () => {
  await Promise.all(benches.map((bench) => bench.close()))
  directory.drop()
})

function fresh(): StoreBench {
  const place = { dataDir: join(directory.path, randomUUID()), prefix: '', stateTtlMs: 60_000, indexTtlMs: 60_000 }
  const bench = new StoreBench(place)
  benches.push(bench)
  return bench
}

describe('SqliteStateStore', () => {
  recordingsConform(fresh)
  eventsConform(fresh)
  tasksConform(fresh)
  agreesWithModel(fresh)
  scales(fresh)
})
