import { describe, expect, it } from 'vitest'
import type { CatalogueEntry } from '../../src/state/catalogue-entry.ts'
import { RECORDING_STATUSES, type RecordingFile } from '../../src/state/recording-object.ts'
import type { RecordingQuery } from '../../src/state/store.ts'
import { entryOf, isoOf } from './entries.ts'
import type { StoreBench } from './store-bench.ts'

const ENTRIES = 10_000
const T0 = Date.parse('2026-11-21T12:00:00.000Z')

const file: RecordingFile = {
  file_id: 'f1',
  kind: 'source',
  participant_id: 'alice',
  source_file_id: null,
  path: 'room_alice_20261121_120000.000.mp4',
  file_name: 'room_alice_20261121_120000.000.mp4',
  format: 'mp4',
  part: 1,
  state: 'finalised',
  offset_ms: 0,
  anchors: [{ file_ms: 0, recording_ms: 0 }],
  duration_ms: 60_000,
  size_bytes: 15_000_000,
  tracks: [
    { kind: 'video', codec: 'avc1.64001f', width: 1280, height: 720 },
    { kind: 'audio', codec: 'mp4a.40.2', sample_rate_hz: 48_000, channels: 2 },
  ],
  error: null,
}

function fits(entry: CatalogueEntry, { room, user, statuses, sinceMs, untilMs }: Partial<RecordingQuery>): boolean {
  const { room_id, user_id, status } = entry.recording
  const createdAtMs = Date.parse(entry.created_at)
  return (
    (room === undefined || room === room_id) &&
    (user === undefined || user === user_id) &&
    (statuses === undefined || statuses.includes(status)) &&
    (sinceMs === undefined || createdAtMs >= sinceMs) &&
    (untilMs === undefined || createdAtMs < untilMs)
  )
}

/** Ten thousand recordings, and every kind of question about them; how fast is a benchmark (`npm run bench -- --only catalogue`). */
export function scales(fresh: () => StoreBench): void {
  describe('with ten thousand recordings', () => {
    it('every kind of page and count is right', async () => {
      const bench = fresh()
      const { recordings } = await bench.open()
      const all = Array.from({ length: ENTRIES }, (_, i) =>
        entryOf(`id-${i.toString(16).padStart(12, '0')}`, {
          created_at: isoOf(T0 + i * 1000),
          recording: {
            room_id: i % 100 === 0 ? 'rare' : `room${i % 3}`,
            user_id: i % 500 === 0 ? 'seldom' : `user${i % 7}`,
            status: i % 1000 === 0 ? 'failed' : (RECORDING_STATUSES[i % 7] ?? 'failed'),
            files: [file, { ...file, file_id: 'f2' }],
          },
        }),
      )
      for (let at = 0; at < ENTRIES; at += 200) {
        await Promise.all(all.slice(at, at + 200).map((entry) => recordings.put(entry)))
      }
      const again = await bench.open()
      expect(await again.recordings.count({})).toBe(ENTRIES)
      const deep = await recordings.list({ limit: 1, untilMs: T0 + 500_000 })
      const queries: Partial<RecordingQuery>[] = [
        {},
        { room: 'rare' },
        { room: 'room1', user: 'seldom' },
        { user: 'seldom', statuses: ['failed', 'cancelled'] },
        { statuses: ['failed'] },
        { statuses: ['pending', 'recording', 'paused', 'processing'] },
        { sinceMs: T0 + 2_000_000, untilMs: T0 + 3_000_000, room: 'room2' },
        { statuses: ['completed'], untilMs: T0 + 100_000 },
        { room: 'none', user: 'nobody' },
      ]
      all.reverse() // newest first
      for (const query of queries) {
        const expected = all.filter((entry) => fits(entry, query)).map(({ recording }) => recording.recording_id)
        const { entries } = await recordings.list({ limit: 100, ...query })
        const ids = entries.map(({ recording }) => recording.recording_id)
        expect(ids, JSON.stringify(query)).toEqual(expected.slice(0, 100))
        expect(await recordings.count(query), JSON.stringify(query)).toBe(expected.length)
      }
      const after = await recordings.list({ limit: 2, ...(deep.next !== undefined && { cursor: deep.next }) })
      expect(after.entries.map(({ created_at }) => created_at)).toEqual([isoOf(T0 + 498_000), isoOf(T0 + 497_000)])
    })
  })
}
