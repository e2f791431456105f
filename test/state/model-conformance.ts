import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RecordingLimitError } from '../../src/state/errors.ts'
import { RECORDING_STATUSES } from '../../src/state/recording-object.ts'
import type { StateStore } from '../../src/state/store.ts'
import { entryOf, isoOf, taskOf } from './entries.ts'
import { CatalogueModel, QueueModel } from './model.ts'
import { allPages } from './recordings-conformance.ts'
import type { StoreBench } from './store-bench.ts'

const RUNS = 25
const T0 = Date.parse('2026-11-21T12:00:00.000Z')

const entry = fc
  .record({
    id: fc.constantFrom('a', 'B', 'b', 'ü', 'x:y'),
    revision: fc.integer({ min: 1, max: 4 }),
    room: fc.constantFrom('r', 'R', 'r|'),
    user: fc.constantFrom(null, '', 'u'),
    status: fc.constantFrom(...RECORDING_STATUSES),
    atMs: fc.integer({ min: 0, max: 3 }),
    automatic: fc.boolean(),
  })
  .map(({ id, revision, room, user, status, atMs, automatic }) =>
    entryOf(id, {
      revision,
      automatic,
      created_at: isoOf(T0 + atMs),
      recording: { room_id: room, user_id: user, status },
    }),
  )
const query = fc.record(
  {
    room: fc.constantFrom('r', 'R', 'r|'),
    user: fc.constantFrom('', 'u'),
    statuses: fc.subarray([...RECORDING_STATUSES]),
    sinceMs: fc.integer({ min: T0, max: T0 + 3 }),
    untilMs: fc.integer({ min: T0, max: T0 + 4 }),
  },
  { requiredKeys: [] },
)

/** One random thing done to a catalogue. */
export const catalogueStep = fc.oneof(
  fc.record({
    do: fc.constant('admit' as const),
    entry,
    total: fc.integer({ min: 0, max: 3 }),
    perUser: fc.option(fc.integer({ min: 0, max: 2 }), { nil: undefined }),
  }),
  fc.record({ do: fc.constant('put' as const), entry }),
  fc.record({ do: fc.constant('remove' as const), id: fc.constantFrom('a', 'B', 'b', 'ü', 'none') }),
  fc.record({ do: fc.constant('list' as const), query, limit: fc.integer({ min: 1, max: 4 }) }),
)
/** See `catalogueStep`. */
export type CatalogueStep = typeof catalogueStep extends fc.Arbitrary<infer T> ? T : never

/** Does the same to both and compares what they say. */
export async function catalogueTakes(step: CatalogueStep, store: StateStore, model: CatalogueModel): Promise<void> {
  const { recordings } = store
  if (step.do === 'put') expect(await recordings.put(step.entry)).toBe(model.put(step.entry))
  else if (step.do === 'remove') {
    model.remove(step.id)
    await recordings.remove(step.id)
  } else if (step.do === 'admit') {
    const refused = model.admit(step.entry, step)
    const admission = recordings.admit(step.entry, step)
    if (refused === undefined) await admission
    else await expect(admission).rejects.toThrow(RecordingLimitError)
  } else {
    const expected = model.list(step.query).map(({ recording }) => recording.recording_id)
    expect(await allPages(recordings, { ...step.query, limit: step.limit })).toEqual(expected)
    expect(await recordings.count(step.query)).toBe(expected.length)
  }
}

/** Everything in the store is as in the model. */
export async function catalogueAgrees(store: StateStore, model: CatalogueModel): Promise<void> {
  expect((await store.recordings.list({ limit: 1000 })).entries).toEqual(model.list({}))
  expect(await store.recordings.live()).toEqual(model.live())
}

const taskId = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f')
const worker = fc.constantFrom('w', 'v')
const timeMs = fc.integer({ min: 0, max: 20 }).map((ms) => T0 + ms)

/** One random thing done to a queue, at times that go forward by `laterMs`. */
export const queueStep = fc.oneof(
  fc.record({
    do: fc.constant('add' as const),
    id: taskId,
    key: fc.constantFrom(null, '', 'k'),
    priority: fc.integer({ min: -1, max: 1 }),
    dueAtMs: timeMs,
    expiresAtMs: fc.option(timeMs),
  }),
  fc.record({
    do: fc.constant('claim' as const),
    worker,
    laterMs: fc.integer({ min: 0, max: 6 }),
    leaseMs: fc.integer({ min: 1, max: 8 }),
    limit: fc.integer({ min: 1, max: 4 }),
  }),
  fc.record({
    do: fc.constant('settle' as const),
    id: taskId,
    worker,
    kind: fc.constantFrom('done' as const, 'retry' as const, 'dead' as const),
    dueAtMs: timeMs,
  }),
  fc.record({ do: fc.constant('cancel' as const), id: taskId }),
  fc.record({ do: fc.constant('requeue' as const), id: taskId, expiresAtMs: fc.option(timeMs) }),
)
/** See `queueStep`. */
export type QueueStep = typeof queueStep extends fc.Arbitrary<infer T> ? T : never

/** A queue in the store and the same in the model, with a clock. */
export class QueuePair {
  readonly #tasks: StateStore['tasks']
  readonly #model = new QueueModel()
  #nowMs = T0

  constructor(store: StateStore) {
    this.#tasks = store.tasks
  }

  async take(step: QueueStep): Promise<void> {
    const [tasks, model] = [this.#tasks, this.#model]
    if (step.do === 'add') {
      const task = taskOf(step.id, step)
      const { id, queue, key, priority, payload, dueAtMs, expiresAtMs } = task
      model.add({ id, queue, key, priority, payload, dueAtMs, expiresAtMs })
      await tasks.add(task)
    } else if (step.do === 'claim') {
      this.#nowMs += step.laterMs
      const options = { leaseMs: step.leaseMs, limit: step.limit, nowMs: this.#nowMs }
      const claimed = await tasks.claim('q', step.worker, options)
      expect(claimed.map(({ id }) => id)).toEqual(model.claim('q', step.worker, options))
    } else if (step.do === 'settle') {
      const outcome = outcomeOf(step)
      expect(await tasks.settle(step.id, step.worker, outcome)).toBe(model.settle(step.id, step.worker, outcome))
    } else if (step.do === 'cancel') expect(await tasks.cancel(step.id)).toBe(model.cancel(step.id))
    else {
      const options = { nowMs: this.#nowMs, expiresAtMs: step.expiresAtMs }
      expect(await tasks.requeue(step.id, options)).toBe(model.requeue(step.id, options))
    }
  }

  async agrees(): Promise<void> {
    const list = await this.#tasks.list({ queue: 'q', limit: 100 })
    const kept = list.map(({ id, state, attempts, log, expiresAtMs }) => {
      return { id, state, attempts, errors: log.map(({ error }) => error), expiresAtMs }
    })
    expect(kept).toEqual(this.#model.list('q'))
    const count = (state: string) => kept.filter((task) => task.state === state).length
    const counts = { waiting: count('waiting'), running: count('running'), dead: count('dead') }
    expect(await this.#tasks.counts('q')).toEqual(counts)
    const [nextMs, dueMs] = [await this.#tasks.nextDueMs('q'), this.#model.nextDueMs('q')]
    if (dueMs === undefined) expect(nextMs).toBeUndefined()
    else expect(nextMs).toBeLessThanOrEqual(dueMs)
  }
}

function outcomeOf({ kind, dueAtMs }: { kind: 'done' | 'retry' | 'dead'; dueAtMs: number }) {
  if (kind === 'done') return { kind, result: { ok: true } } as const
  return kind === 'retry' ? ({ kind, dueAtMs, error: 'again' } as const) : ({ kind, error: 'never' } as const)
}

/** Random steps have the same outcome as in a model in memory. `fresh` gives an empty state. */
export function agreesWithModel(fresh: () => StoreBench): void {
  describe('whatever is done', () => {
    it('the catalogue is as the model says', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(catalogueStep, { minLength: 5, maxLength: 30 }), async (steps) => {
          const bench = fresh()
          const store = await bench.open()
          const model = new CatalogueModel()
          for (const step of steps) await catalogueTakes(step, store, model)
          await catalogueAgrees(store, model)
          await bench.close()
        }),
        { numRuns: RUNS },
      )
    })

    it('queues are as the model says', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(queueStep, { minLength: 10, maxLength: 60 }), async (steps) => {
          const bench = fresh()
          const pair = new QueuePair(await bench.open())
          for (const step of steps) {
            await pair.take(step)
            await pair.agrees()
          }
          await bench.close()
        }),
        { numRuns: RUNS * 2 },
      )
    })
  })
}
