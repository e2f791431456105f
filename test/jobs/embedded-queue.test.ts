import { join } from 'node:path'
import { EmbeddedJobQueue } from '../../src/jobs/embedded-queue.ts'
import { SqliteStateStore } from '../../src/state/sqlite/store.ts'
import { scratch } from '../peers/tapedeck.ts'
import { queueConformance } from './queue-conformance.ts'
import { HURRIED, silent } from './scripted-jobs.ts'

queueConformance('embedded', async () => {
  const directory = scratch('jobs')
  let round = 0
  let stores: SqliteStateStore[] = []
  return {
    open: async () => {
      // a connection each, as processes have
      const store = new SqliteStateStore(join(directory.path, `state-${round}.db`), silent)
      stores.push(store)
      return new EmbeddedJobQueue(store.tasks, { node: `node-${stores.length}`, logger: silent, timing: HURRIED })
    },
    addForeign: async () => {
      const task = { id: 'jobs:foreign', queue: 'jobs', key: null, priority: 9, dueAtMs: 0, expiresAtMs: null }
      await stores[0]?.tasks.add({ ...task, payload: { kind: 'later' } })
    },
    clear: async () => {
      await Promise.all(stores.map((store) => store.close()))
      stores = []
      round++
    },
    drop: async () => directory.drop(),
  }
})
