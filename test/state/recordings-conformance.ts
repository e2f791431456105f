import { describe, expect, it } from 'vitest'
import { BadCursorError, RecordingLimitError } from '../../src/state/errors.ts'
import { RECORDING_STATUSES } from '../../src/state/recording-object.ts'
import type { RecordingQuery, RecordingStore } from '../../src/state/store.ts'
import { entryOf, isoOf } from './entries.ts'
import type { StoreBench } from './store-bench.ts'

const NO_LIMITS = { total: 1_000_000, perUser: undefined }
const T0 = Date.parse('2026-11-21T12:00:00.000Z')

/** Ids of all pages, and how many pages there were. */
export async function allPages(store: RecordingStore, query: RecordingQuery): Promise<string[]> {
  const ids: string[] = []
  for (let cursor: string | undefined; ; ) {
    const page = await store.list({ ...query, ...(cursor !== undefined && { cursor }) })
    expect(page.entries.length).toBeLessThanOrEqual(query.limit)
    ids.push(...page.entries.map(({ recording }) => recording.recording_id))
    cursor = page.next
    if (cursor === undefined) return ids
  }
}

/** What every catalogue has to do. `fresh` gives an empty state. */
export function recordingsConform(fresh: () => StoreBench): void {
  describe('catalogue', () => {
    it('gives back exactly what it was given, also after it was opened anew', async () => {
      const bench = fresh()
      const { recordings } = await bench.open()
      const strange = entryOf('strange', {
        recording: { room_id: 'a:b|c*{}[]?\\ "ü☃\u0000\n', user_id: '', metadata: { deep: { er: [1.5, null, '✓'] } } },
        markers: [{ marker_id: 'm', label: 'goal', at_ms: 12.5, created_at: isoOf(T0) }],
        jobs: [{ job_id: 'j', kind: 'remux', state: 'waiting', required: true }],
      })
      await recordings.admit(entryOf('a'), NO_LIMITS)
      expect(await recordings.put(strange)).toBe(true)
      expect(await recordings.get('strange')).toEqual(strange)
      expect(await recordings.get('unknown')).toBeUndefined()
      const again = await bench.open()
      expect(await again.recordings.get('a')).toEqual(entryOf('a'))
      expect((await again.recordings.list({ room: strange.recording.room_id, limit: 10 })).entries).toEqual([strange])
      expect((await again.recordings.list({ user: '', limit: 10 })).entries).toEqual([strange])
    })

    it('never lets an older revision replace a newer one', async () => {
      const { recordings } = await fresh().open()
      expect(await recordings.put(entryOf('a', { revision: 3 }))).toBe(true)
      expect(await recordings.put(entryOf('a', { revision: 2, hold: true }))).toBe(false)
      await recordings.admit(entryOf('a', { revision: 1, hold: true }), { total: 0, perUser: 0 })
      expect(await recordings.get('a')).toEqual(entryOf('a', { revision: 3 }))
      expect(await recordings.put(entryOf('a', { revision: 3, hold: true }))).toBe(true)
      expect((await recordings.get('a'))?.hold).toBe(true)
      await recordings.remove('a')
      await recordings.remove('a')
      expect(await recordings.get('a')).toBeUndefined()
      expect(await recordings.count({})).toBe(0)
      expect(await recordings.put(entryOf('a', { revision: 1 }))).toBe(true)
    })

    it('takes many at once, of each what is newest', async () => {
      const { recordings } = await fresh().open()
      await recordings.put(entryOf('b', { revision: 3 }))
      await recordings.putAll([
        entryOf('a'),
        entryOf('b', { revision: 2 }),
        entryOf('c'),
        entryOf('a', { revision: 2 }),
      ])
      const revisions = await Promise.all(['a', 'b', 'c'].map(async (id) => (await recordings.get(id))?.revision))
      expect(revisions).toEqual([2, 3, 1])
      await recordings.putAll([])
      expect(await recordings.count({})).toBe(3)
    })

    it('finds by everything at once, follows every change, and keeps rooms and users apart', async () => {
      const { recordings } = await fresh().open()
      const rooms = ['r', 'r|', '*', 'r:1']
      const users = [null, '', 'u', 'u|r']
      const all = Array.from({ length: 64 }, (_, i) =>
        entryOf(`id${String(i).padStart(2, '0')}`, {
          created_at: isoOf(T0 + Math.floor(i / 3) * 1000),
          recording: {
            room_id: rooms[i % 4] ?? '',
            user_id: users[(i >> 2) % 4] ?? null,
            status: RECORDING_STATUSES[i % 7] ?? 'failed',
          },
        }),
      )
      for (const entry of all) await recordings.put(entry)
      const changed = all.map((entry, i) => ({
        ...entry,
        revision: 2,
        created_at: i % 5 === 0 ? isoOf(T0 + 5500) : entry.created_at,
        recording: {
          ...entry.recording,
          status: RECORDING_STATUSES[(i * 3) % 7] ?? 'failed',
          room_id: rooms[i % 3] ?? '',
        },
      }))
      for (const entry of changed) await recordings.put(entry)
      const sorted = changed.toSorted((a, b) => (key(a) < key(b) ? 1 : -1))
      for (const room of [undefined, ...rooms, 'none'])
        for (const user of [undefined, '', 'u', 'u|r'])
          for (const statuses of [
            undefined,
            [],
            ['recording'],
            ['failed', 'paused', 'failed'],
            RECORDING_STATUSES,
          ] as const)
            for (const [sinceMs, untilMs] of [
              [undefined, undefined],
              [T0 + 3000, undefined],
              [T0 + 1, T0 + 9000],
            ]) {
              const query = {
                ...(room !== undefined && { room }),
                ...(user !== undefined && { user }),
                ...(statuses !== undefined && { statuses }),
                ...(sinceMs !== undefined && { sinceMs }),
                ...(untilMs !== undefined && { untilMs }),
              }
              const expected = sorted
                .filter(({ recording, created_at }) => {
                  const ms = Date.parse(created_at)
                  return (
                    (room === undefined || recording.room_id === room) &&
                    (user === undefined || recording.user_id === user) &&
                    (statuses === undefined || statuses.some((status) => status === recording.status)) &&
                    ms >= (sinceMs ?? 0) &&
                    ms < (untilMs ?? Number.POSITIVE_INFINITY)
                  )
                })
                .map(({ recording }) => recording.recording_id)
              expect(await allPages(recordings, { ...query, limit: 7 }), JSON.stringify(query)).toEqual(expected)
              expect(await recordings.count(query)).toBe(expected.length)
            }
    })

    it('tells which are live, oldest first, automatic ones included', async () => {
      const { recordings } = await fresh().open()
      const statuses = [...RECORDING_STATUSES]
      for (const [i, status] of statuses.entries()) {
        const at = isoOf(T0 - i * 1000)
        await recordings.put(entryOf(status, { created_at: at, automatic: i % 2 === 0, recording: { status } }))
      }
      const ids = (await recordings.live()).map(({ recording }) => recording.recording_id)
      expect(ids).toEqual(['processing', 'paused', 'recording', 'pending'])
      const some = await recordings.live((id) => id === 'recording' || id === 'processing' || id === 'failed')
      expect(some.map(({ recording }) => recording.recording_id)).toEqual(['processing', 'recording'])
      const heads = (await recordings.heads()).map(({ id, revision, status }) => [id, revision, status])
      expect(heads.sort()).toEqual(statuses.map((status) => [status, 1, status]).sort())
      await recordings.put(entryOf('paused', { revision: 2, recording: { status: 'failed' } }))
      await recordings.remove('pending')
      expect(await recordings.live()).toHaveLength(2)
    })

    it('has pages that neither repeat nor leave out while entries come and go', async () => {
      const { recordings } = await fresh().open()
      const at = isoOf(T0)
      for (let i = 0; i < 50; i++) await recordings.put(entryOf(`m${i}`, { created_at: at }))
      const seen: string[] = []
      let cursor: string | undefined
      for (let i = 0; ; i++) {
        const page = await recordings.list({ limit: 9, ...(cursor !== undefined && { cursor }) })
        seen.push(...page.entries.map(({ recording }) => recording.recording_id))
        await recordings.put(entryOf(`z${i}`, { created_at: at }))
        await recordings.put(entryOf(`n${i}`, { created_at: isoOf(T0 + 1000 + i) }))
        await recordings.remove(seen.at(-1) ?? '')
        cursor = page.next
        if (cursor === undefined) break
      }
      expect(seen.filter((id) => id.startsWith('m'))).toEqual(
        Array.from({ length: 50 }, (_, i) => `m${i}`)
          .sort()
          .reverse(),
      )
      expect(new Set(seen).size).toBe(seen.length)
    })

    it('refuses cursors that it did not give', async () => {
      const { recordings } = await fresh().open()
      for (const cursor of ['', 'x', '!!!!', 'a'.repeat(10_000), Buffer.from('12:').toString('base64url')]) {
        await expect(recordings.list({ limit: 5, cursor })).rejects.toThrow(BadCursorError)
      }
    })

    it('admits as many as may be: in total, per user, not counting automatic ones or those that take no frames any more', async () => {
      const { recordings } = await fresh().open()
      const of = (id: string, user: string | null) => entryOf(id, { recording: { user_id: user } })
      const limits = { total: 4, perUser: 2 }
      await recordings.admit(of('a', 'u'), limits)
      await recordings.admit(of('b', 'u'), limits)
      await expect(recordings.admit(of('c', 'u'), limits)).rejects.toThrow(/of one user/)
      await recordings.admit(of('a', 'u'), limits)
      for (let i = 0; i < 5; i++) {
        await recordings.admit(entryOf(`auto${i}`, { automatic: true, recording: { user_id: null } }), limits)
      }
      await recordings.admit(of('d', null), limits)
      await recordings.admit(of('e', null), limits)
      await expect(recordings.admit(of('f', 'v'), limits)).rejects.toThrow(RecordingLimitError)
      for (const [i, status] of (['pending', 'paused', 'recording'] as const).entries()) {
        await recordings.put(entryOf('d', { revision: 2 + i, recording: { user_id: null, status } }))
        await expect(recordings.admit(of('f', 'v'), limits)).rejects.toThrow(/of this server/)
      }
      await recordings.put(entryOf('d', { revision: 5, recording: { user_id: null, status: 'processing' } }))
      await recordings.admit(of('f', 'v'), limits)
      await recordings.put(entryOf('d', { revision: 6, recording: { user_id: null, status: 'completed' } }))
      await expect(recordings.admit(of('x', 'v'), limits)).rejects.toThrow(/of this server/)
      await recordings.put(entryOf('b', { revision: 2, recording: { user_id: 'u', status: 'processing' } }))
      await recordings.admit(of('b2', 'u'), limits)
      await expect(recordings.admit(of('c', 'u'), { ...limits, total: 9 })).rejects.toThrow(/of one user/)
      await recordings.remove('a')
      await recordings.admit(of('g', 'u'), limits)
      await expect(recordings.admit(of('h', 'w'), limits)).rejects.toThrow(/of this server/)
      expect(await recordings.count({})).toBe(11)
    })

    it('lets exactly ten of two hundred simultaneous starts pass', async () => {
      const bench = fresh()
      const stores = [await bench.open(), await bench.open()]
      const limits = { total: 10, perUser: undefined }
      const starts = Array.from({ length: 200 }, (_, i) => stores[i % 2]?.recordings.admit(entryOf(`s${i}`), limits))
      const outcomes = await Promise.allSettled(starts)
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(10)
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(RecordingLimitError)
      }
      expect(await stores[0]?.recordings.live()).toHaveLength(10)
    })

    it('lets exactly ten of two hundred pass that four processes start', async () => {
      const bench = fresh()
      const store = await bench.open()
      const counts = await Promise.all(
        [1, 2, 3, 4].map((child) =>
          bench.elsewhere(`
            const starts = Array.from({ length: 50 }, (_, i) =>
              store.recordings.admit(entryOf('c${child}-' + i), { total: 10, perUser: undefined }))
            const outcomes = await Promise.allSettled(starts)
            const wrong = outcomes.find((each) => each.status === 'rejected' && each.reason.code !== 'TD_RECORDING_LIMIT')
            if (wrong) throw wrong.reason
            console.log(outcomes.filter((each) => each.status === 'fulfilled').length)`),
        ),
      )
      expect(counts.reduce((sum, count) => sum + Number(count), 0)).toBe(10)
      expect(await store.recordings.count({ statuses: ['recording'] })).toBe(10)
    })
  })
}

function key({ created_at, recording }: ReturnType<typeof entryOf>): string {
  return `${created_at} ${recording.recording_id}`
}
