import { join } from 'node:path'
import { scratch } from '../peers/tapedeck.ts'
import { workerConformance } from './worker-conformance.ts'

const directory = scratch('workers')
let places = 0

workerConformance('embedded', {
  start: async () => undefined,
  makePlace: () => ({ path: join(directory.path, `state-${places++}.db`) }),
  stop: async () => directory.drop(),
})
