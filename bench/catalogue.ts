import { mkdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { entryOf, isoOf } from '../test/state/entries.ts'
import { ApiCaller } from './api-calls.ts'
import { spread, table } from './measure.ts'
import { workspace } from './media.ts'
import { startTapedeck } from './servers.ts'

const ENTRIES = 10_000
const T0 = Date.parse('2026-01-01T00:00:00.000Z')
const READS = 200
const DEADLINE_MS = 300_000

interface Page {
  readonly recordings: readonly object[]
  readonly count: number
  readonly next_cursor: string | null
}

/** Ten thousand recordings: how long a server with them takes to start, and each kind of list page to come. */
export async function catalogue(): Promise<void> {
  const place = join(workspace, 'catalogue')
  rmSync(place, { recursive: true, force: true })
  const files = join(place, 'files')
  for (let n = 0; n < ENTRIES; n++) writeRecording(files, n)
  const flags = ['--no-record-all', '--record-dir', files, '--data-dir', join(place, 'data')]
  const filled = await timed(() => withServer(flags, (api) => whole(api)))
  console.log(`\n${ENTRIES} recordings, from manifests alone into the catalogue: ${(filled / 1000).toFixed(1)} s`)
  const beganAt = performance.now()
  await withServer(flags, async (api) => {
    await api.call<Page>('GET', '/recordings?limit=1')
    console.log(`start with them, until the first list has come: ${Math.round(performance.now() - beganAt)} ms`)
    await pages(api)
  })
  rmSync(place, { recursive: true, force: true })
}

async function pages(api: ApiCaller): Promise<void> {
  const middle = await cursorAt(api, ENTRIES / 2)
  const lists = {
    'first page of 50': '/recordings?all=true',
    'first page of 100': '/recordings?all=true&limit=100',
    'a page in the middle': `/recordings?all=true&cursor=${encodeURIComponent(middle)}`,
    'of a room': '/rooms/room-3/recordings',
    'of a user': '/recordings?user=user-5',
    'failed ones': '/recordings?all=true&status=failed',
    'of one day': `/recordings?all=true&since=${isoOf(T0)}&until=${isoOf(T0 + 86_400_000)}`,
  }
  const rows: string[][] = []
  for (const [name, path] of Object.entries(lists)) {
    const tookMs: number[] = []
    for (let read = 0; read < READS; read++) tookMs.push(await timed(() => api.call<Page>('GET', path)))
    tookMs.sort((a, b) => a - b)
    rows.push([name, spread(tookMs, 1), (tookMs[Math.floor(READS * 0.99)] ?? 0).toFixed(1)])
  }
  console.log(`list pages, ${READS} reads each: middle [lowest–highest], ms`)
  table(['page', 'ms', '99 %'], rows)
}

async function withServer(flags: readonly string[], work: (api: ApiCaller) => Promise<void>): Promise<void> {
  const server = await startTapedeck('catalogue', flags)
  const api = new ApiCaller(server.httpPort, 1)
  try {
    await work(api)
  } finally {
    api.close()
    await server.stop()
  }
}

/** Resolves when all recordings are in the catalogue. */
async function whole(api: ApiCaller): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS
  for (;;) {
    const { body } = await api.call<Page>('GET', '/recordings?limit=1&all=true')
    if (body.count === ENTRIES) return
    if (performance.now() > deadline) throw new Error(`only ${body.count} recordings came into the catalogue`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

async function cursorAt(api: ApiCaller, place: number): Promise<string> {
  let cursor = ''
  for (let seen = 0; seen < place; seen += 100) {
    const more = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`
    const { body } = await api.call<Page>('GET', `/recordings?all=true&limit=100${more}`)
    cursor = body.next_cursor ?? ''
  }
  return cursor
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const beganAt = performance.now()
  await work()
  return performance.now() - beganAt
}

/** One that ended long ago: a directory with a manifest and a file. */
function writeRecording(files: string, n: number): void {
  const id = `recording-${String(n).padStart(5, '0')}`
  const directory = join(files, id)
  const name = 'alice_20260101_000000.000.mp4'
  mkdirSync(directory, { recursive: true })
  writeFileSync(join(directory, name), 'media')
  const file = {
    file_id: 'f1',
    kind: 'source',
    participant_id: 'alice',
    source_file_id: null,
    path: name,
    file_name: name,
    format: 'mp4',
    part: 1,
    state: 'finalised',
    offset_ms: 0,
    anchors: [{ file_ms: 0, recording_ms: 0 }],
    duration_ms: 60_000,
    size_bytes: 5,
    tracks: [
      { kind: 'video', codec: 'h264', width: 1280, height: 720 },
      { kind: 'audio', codec: 'aac', sample_rate_hz: 48_000, channels: 2 },
    ],
    error: null,
  } as const
  const time = isoOf(T0 + n * 60_000)
  const entry = entryOf(id, {
    recording: {
      room_id: `room-${n % 7}`,
      user_id: `user-${n % 11}`,
      status: n % 10 === 0 ? 'failed' : 'completed',
      local_path: join(directory, name),
      file_name: name,
      started_at: time,
      stopped_at: time,
      processed_at: time,
      files: [{ ...file, anchors: [...file.anchors], tracks: [...file.tracks] }],
      report: { gaps: [], drops: 0, parts: [{ path: name, frames: 1500, mediaBytes: 5 }] },
    },
    owner: null,
    manifest_path: join(directory, 'recording.json'),
    created_at: time,
  })
  const manifest = join(directory, 'recording.json')
  writeFileSync(manifest, JSON.stringify(entry))
  const writtenAt = new Date(T0 + n * 60_000) // as old as what is in it
  utimesSync(manifest, writtenAt, writtenAt)
}
