import { describe, expect, it } from 'vitest'
import { RECORDING_STATUSES, type RecordingFile } from '../../src/state/recording-object.ts'
import type { RecordingQuery } from '../../src/state/store.ts'
import { entryOf, isoOf } from './entries.ts'
import type { StoreBench } from './store-bench.ts'

const ENTRIES = 10_000
/** Of any list page and count, ms: the median of several, so that a busy machine does not decide. */
const PAGE_MS = 20
const OPEN_MS = 2000
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

async function medianMs(work: () => Promise<unknown>): Promise<number> {
  const times: number[] = []
  for (let i = 0; i < 9; i++) {
    const begun = performance.now()
    await work()
    times.push(performance.now() - begun)
  }
  return times.sort((a, b) => a - b)[4] ?? 0
}

/** Ten thousand recordings are found as fast as ten. */
export function scales(fresh: () => StoreBench): void {
  describe('with ten thousand recordings', () => {
    it('every page and count takes 20 ms at most, and opening two seconds', async () => {
      const bench = fresh()
      const { recordings } = await bench.open()
      const puts: Promise<unknown>[] = []
      for (let i = 0; i < ENTRIES; i++) {
        puts.push(
          recordings.put(
            entryOf(`id-${i.toString(16).padStart(12, '0')}`, {
              created_at: isoOf(T0 + i * 1000),
              recording: {
                room_id: i % 100 === 0 ? 'rare' : `room${i % 3}`,
                user_id: i % 500 === 0 ? 'seldom' : `user${i % 7}`,
                status: i % 1000 === 0 ? 'failed' : (RECORDING_STATUSES[i % 7] ?? 'failed'),
                files: [file, { ...file, file_id: 'f2' }],
              },
            }),
          ),
        )
        if (puts.length === 200) await Promise.all(puts.splice(0))
      }
      await Promise.all(puts)
      const begun = performance.now()
      const again = await bench.open()
      expect(await again.recordings.count({})).toBe(ENTRIES)
      expect(performance.now() - begun).toBeLessThan(OPEN_MS)
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
        { ...(deep.next !== undefined && { cursor: deep.next }) },
        { room: 'none', user: 'nobody' },
      ]
      for (const query of queries) {
        const { cursor: _, ...counted } = query
        expect(await medianMs(() => recordings.list({ limit: 100, ...query })), JSON.stringify(query)).toBeLessThan(
          PAGE_MS,
        )
        expect(await medianMs(() => recordings.count(counted)), JSON.stringify(query)).toBeLessThan(PAGE_MS)
      }
    })
  })
}
