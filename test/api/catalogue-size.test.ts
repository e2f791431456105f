import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ListOptions, TapedeckClient } from '../../src/client/index.ts'
import { openStateStore } from '../../src/state/open-store.ts'
import { RECORDING_STATUSES, type RecordingStatus } from '../../src/state/recording-object.ts'
import type { StateStore } from '../../src/state/store.ts'
import { ApiServer } from '../peers/api-server.ts'
import { entryOf, isoOf, LogLines } from '../state/entries.ts'

const ENTRIES = 10_000
const T0 = Date.parse('2026-01-01T00:00:00.000Z')
const FINAL: readonly RecordingStatus[] = RECORDING_STATUSES.slice(4)
const idOf = (n: number) => `recording-${String(n).padStart(5, '0')}`
/** Each third shares its time with the one before. */
const entry = (n: number) =>
  entryOf(idOf(n), {
    recording: { room_id: `room-${n % 7}`, user_id: `user-${n % 11}`, status: FINAL[n % FINAL.length] ?? 'failed' },
    owner: null,
    created_at: isoOf(T0 + (n - (n % 3 === 0 ? 1 : 0)) * 1000),
  })

const shared: { server?: ApiServer; store?: StateStore } = {}
beforeAll(async () => {
  const server = await ApiServer.start()
  shared.server = server
  const away = { prefix: 'x', stateTtlMs: 1, indexTtlMs: 1, logger: new LogLines() }
  const store = await openStateStore({ dataDir: server.data, ...away })
  shared.store = store
  const puts: Promise<unknown>[] = []
  for (let n = 0; n < ENTRIES; n++) puts.push(store.recordings.put(entry(n)))
  await Promise.all(puts)
}, 120_000)
afterAll(async () => {
  await shared.store?.close()
  await shared.server?.stop()
})

const clientOf = () => new TapedeckClient({ baseUrl: shared.server?.http ?? '' })
async function all(options: ListOptions): Promise<string[]> {
  const ids: string[] = []
  for await (const { recording_id } of clientOf().eachRecording({ all: 'true', limit: 100, ...options })) {
    ids.push(recording_id)
  }
  return ids
}
const expected = (keep: (n: number) => boolean) =>
  Array.from({ length: ENTRIES }, (_, n) => n)
    .filter(keep)
    .map(idOf)

describe('ten thousand recordings, page by page over HTTP', () => {
  it('come each once, newest first', async () => {
    const ids = await all({})
    expect(ids.toSorted()).toEqual(expected(() => true))
    const times = ids.map((id) => Date.parse(entry(Number(id.slice(-5))).created_at))
    expect(times.every((time, index) => index === 0 || time <= (times[index - 1] ?? 0))).toBe(true)
    expect((await clientOf().listRecordings({ all: 'true', limit: 1 })).count).toBe(ENTRIES)
  })

  it.each<[string, ListOptions, (n: number) => boolean]>([
    ['of a room', { room: 'room-3' }, (n) => n % 7 === 3],
    ['of a user', { user: 'user-5' }, (n) => n % 11 === 5],
    ['of a user in a room', { user: 'user-5', room: 'room-3' }, (n) => n % 11 === 5 && n % 7 === 3],
    ['that failed', { status: ['failed'] }, (n) => FINAL[n % FINAL.length] === 'failed'],
    ['that did not', { status: ['completed', 'cancelled'] }, (n) => FINAL[n % FINAL.length] !== 'failed'],
    ['that run', { status: ['recording', 'paused'] }, () => false],
    [
      'of an hour',
      { since: isoOf(T0 + 1000_000), until: isoOf(T0 + 4600_000) },
      (n) => n - (n % 3 === 0 ? 1 : 0) >= 1000 && n - (n % 3 === 0 ? 1 : 0) < 4600,
    ],
  ])('%s', async (_, options, keep) => {
    const ids = await all(options)
    expect(ids.toSorted()).toEqual(expected(keep))
    expect((await clientOf().listRecordings({ all: 'true', limit: 1, ...options })).count).toBe(ids.length)
  })

  it('what is added or removed meanwhile makes nothing come twice, and nothing else be left out', async () => {
    const store = shared.store?.recordings
    const seen: string[] = []
    for await (const { recording_id } of clientOf().eachRecording({ room: 'room-1', all: 'true', limit: 50 })) {
      seen.push(recording_id)
      if (seen.length % 50 !== 0) continue
      const number = ENTRIES + seen.length
      await store?.put({ ...entry(number), recording: { ...entry(number).recording, room_id: 'room-1' } })
      await store?.remove(recording_id)
    }
    expect(new Set(seen).size).toBe(seen.length)
    expect(seen.toSorted()).toEqual(expected((n) => n % 7 === 1))
  })
})
