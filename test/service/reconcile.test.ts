import { existsSync, mkdirSync, rmSync, utimesSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { CatalogueEntry } from '../../src/state/catalogue-entry.ts'
import { CatalogueRig, CREATED_AT, deadPid, entryOf, fileOf, NODE, recordedBytes } from './catalogue-rig.ts'

let rig: CatalogueRig
let dead = 0
let whole: Uint8Array
let longer: Uint8Array

beforeAll(async () => {
  dead = await deadPid()
  whole = await recordedBytes('mp4', 4000)
  longer = await recordedBytes('mkv', 6000)
})
beforeEach(() => {
  rig = new CatalogueRig()
})
afterEach(() => rig.drop())

const diedHere = () => ({ node: NODE, pid: dead })

/** Enters a recording that was asked for as it stood on disk and in the catalogue when its process died. */
async function leave(id: string, facts: Parameters<typeof entryOf>[1], where: 'both' | 'disk' | 'store' = 'both') {
  const entry = entryOf(id, { owner: diedHere(), manifestPath: rig.manifestOf(id), ...facts })
  if (where !== 'disk') await rig.store.recordings.put(entry)
  if (where !== 'store') await rig.manifests.write(entry)
  return { entry, directory: dirname(rig.manifestOf(id)) }
}

describe('a recording whose process died', () => {
  it.each(['recording', 'paused', 'pending'] as const)(
    'while %s, is completed with what is in its files',
    async (status) => {
      const { directory } = await leave('aaaaaaaa-1', { status, files: [fileOf('a.mp4')] })
      rig.put(join(directory, 'a.mp4'), whole.subarray(0, Math.floor(whole.length * 0.6)))
      expect(await rig.reconciler().run()).toEqual({ settled: 1, added: 0, removed: 0 })
      const entry = await rig.get('aaaaaaaa-1')
      expect(entry?.owner).toBeNull()
      expect(entry?.recording).toMatchObject({
        status: 'completed',
        error: { code: 'TD_INTERRUPTED' },
        file_name: 'a.mp4',
      })
      expect(entry?.recording.local_path).toBe(join(directory, 'a.mp4'))
      const [file] = entry?.recording.files ?? []
      expect(file).toMatchObject({ state: 'repaired', anchors: [{ file_ms: 0, recording_ms: 0 }] })
      expect(file?.duration_ms).toBeGreaterThan(1000)
      expect(file?.duration_ms).toBeLessThan(4000)
      expect(file?.tracks.map(({ codec }) => codec)).toEqual(['h264', 'aac'])
      expect(entry?.recording.duration_seconds).toBeCloseTo((file?.duration_ms ?? 0) / 1000)
      expect(entry?.recording.file_size_bytes).toBe(file?.size_bytes)
      expect(rig.typesOf('aaaaaaaa-1')).toEqual(['recording_interrupted'])
      expect(await rig.store.recordings.live()).toEqual([])
    },
  )

  it('after it was stopped, is completed without a complaint', async () => {
    const stopped = { recording: { stopped_at: '2026-01-21T14:01:00.000Z' } }
    const { directory } = await leave('aaaaaaaa-2', { status: 'processing', files: [fileOf('a.mp4')], ...stopped })
    rig.put(join(directory, 'a.mp4'), whole)
    await rig.reconciler().run()
    const entry = await rig.get('aaaaaaaa-2')
    expect(entry?.recording).toMatchObject({ status: 'completed', error: null, stopped_at: '2026-01-21T14:01:00.000Z' })
    expect(rig.typesOf('aaaaaaaa-2')).toEqual([])
  })

  it('is known by files that its manifest does not name yet, and rid of empty ones', async () => {
    const { directory } = await leave('aaaaaaaa-3', { status: 'recording', files: [fileOf('a.mp4')] })
    rig.put(join(directory, 'a.mp4'), whole)
    rig.put(join(directory, 'a_part2.mkv'), longer.subarray(0, Math.floor(longer.length * 0.7)))
    rig.put(join(directory, 'a_part3.mkv'), new Uint8Array())
    rig.put(join(directory, 'notes.txt'), new Uint8Array(3))
    await rig.reconciler().run()
    const { recording } = (await rig.get('aaaaaaaa-3')) ?? entryOf('none')
    expect(recording.files.map(({ file_name, part, participant_id }) => [file_name, part, participant_id])).toEqual([
      ['a.mp4', 1, 'test'],
      ['a_part2.mkv', 2, 'test'],
    ])
    expect(recording.files[1].offset_ms).toBe(recording.files[0].duration_ms)
    expect(recording.participants).toMatchObject([{ participant_id: 'test', is_connected: false }])
    expect(existsSync(join(directory, 'a_part3.mkv'))).toBe(false)
    expect(existsSync(join(directory, 'notes.txt'))).toBe(true)
  })

  it('before a frame was kept, has failed and leaves nothing on disk', async () => {
    const { directory } = await leave('aaaaaaaa-4', { status: 'recording', files: [fileOf('a.mp4')] })
    rig.put(join(directory, 'a.mp4'), new Uint8Array())
    await leave('bbbbbbbb-4', { status: 'pending' }, 'store')
    expect(await rig.reconciler().run()).toMatchObject({ settled: 2 })
    for (const id of ['aaaaaaaa-4', 'bbbbbbbb-4']) {
      const entry = await rig.get(id)
      expect(entry).toMatchObject({ owner: null, manifest_path: null })
      expect(entry?.recording).toMatchObject({ status: 'failed', error: { code: 'TD_INTERRUPTED' }, files: [] })
      expect(rig.typesOf(id)).toEqual(['recording_failed'])
    }
    expect(rig.tree).toEqual([])
  })

  it('while it was being cancelled, is cancelled and leaves nothing on disk', async () => {
    for (const [id, where] of [
      ['aaaaaaaa-5', 'both'],
      ['bbbbbbbb-5', 'disk'],
    ] as const) {
      const { entry, directory } = await leave(
        id,
        { status: 'cancelled', files: [fileOf('a.mp4'), fileOf('b.mp4')] },
        where,
      )
      if (where === 'both')
        await rig.store.recordings.put({
          ...entry,
          revision: 1,
          recording: { ...entry.recording, status: 'recording' },
        })
      rig.put(join(directory, 'b.mp4'), whole)
      rig.put(join(directory, 'unknown.mp4'), whole)
    }
    expect(await rig.reconciler().run()).toMatchObject({ added: 0 })
    expect((await rig.get('aaaaaaaa-5'))?.recording.status).toBe('cancelled')
    expect(await rig.get('bbbbbbbb-5')).toMatchObject({
      manifest_path: null,
      recording: { status: 'cancelled', files: [] },
    })
    expect(rig.tree).toEqual([])
  })

  it('is taken from the newer of manifest and catalogue', async () => {
    const { entry, directory } = await leave('aaaaaaaa-6', { status: 'recording', files: [fileOf('a.mp4')] })
    rig.put(join(directory, 'a.mp4'), whole)
    await rig.manifests.write({ ...entry, revision: 9, recording: { ...entry.recording, metadata: { newer: true } } })
    await rig.reconciler().run()
    expect(await rig.get('aaaaaaaa-6')).toMatchObject({ revision: 11, recording: { metadata: { newer: true } } })
  })

  it('with jobs waiting goes on with them; what they made is not taken for a source', async () => {
    const jobs = [{ job_id: 'j', kind: 'rendition', state: 'waiting', required: true }] as const
    const files = [fileOf('a.mp4', { state: 'finalised', duration_ms: 4000 })]
    const { directory } = await leave('aaaaaaaa-7', { status: 'processing', jobs: [...jobs], files })
    rig.put(join(directory, 'a.mp4'), whole)
    rig.put(join(directory, 'a_low.mp4'), whole.subarray(0, 5000))
    await rig.reconciler().run()
    expect(rig.taken[0]).toMatchObject({ owner: { node: NODE, pid: process.pid }, recording: { status: 'processing' } })
    expect(rig.taken[0]?.recording.files.map(({ file_name }) => file_name)).toEqual(['a.mp4'])
  })

  it('is left alone on other nodes, in other processes, and where this one is at work on it', async () => {
    const now = new Date().toISOString()
    await leave('aaaaaaaa-8', { status: 'recording', owner: { node: 'elsewhere', pid: dead } })
    await leave('bbbbbbbb-8', { status: 'recording', owner: { node: NODE, pid: process.ppid }, createdAt: now })
    await leave('cccccccc-8', { status: 'recording' })
    rig.held.add('cccccccc-8')
    expect(await rig.reconciler().run()).toEqual({ settled: 0, added: 0, removed: 0 })
    expect(await rig.store.recordings.live()).toHaveLength(3)
  })

  it('is seen to be dead when another process has its id now', async () => {
    const { directory } = await leave('aaaaaaaa-9', { status: 'recording', owner: { node: NODE, pid: process.pid } })
    rig.put(join(directory, 'a.mp4'), whole)
    await rig.reconciler().run()
    expect((await rig.get('aaaaaaaa-9'))?.recording.status).toBe('completed')
  })
})

describe('the catalogue', () => {
  it('takes in what only the disk knows, and what it knows better', async () => {
    await leave('aaaaaaaa-1', { status: 'completed', owner: null }, 'disk')
    const { entry } = await leave('bbbbbbbb-1', { status: 'completed', owner: null })
    await rig.manifests.write({ ...entry, revision: 8, hold: true })
    expect(await rig.reconciler().run()).toEqual({ settled: 0, added: 2, removed: 0 })
    expect(await rig.get('aaaaaaaa-1')).toBeDefined()
    expect(await rig.get('bbbbbbbb-1')).toMatchObject({ revision: 8, hold: true })
  })

  it('does not read again what it knows and nobody has written for a day', async () => {
    for (const id of ['aaaaaaaa-1', 'bbbbbbbb-1']) {
      const { entry } = await leave(id, { status: 'completed', owner: null })
      await rig.manifests.write({ ...entry, revision: 8 })
    }
    const old = new Date(Date.now() - 48 * 3_600_000)
    utimesSync(rig.manifestOf('aaaaaaaa-1'), old, old)
    const { entry } = await leave('cccccccc-1', { status: 'completed', owner: null }, 'disk')
    utimesSync(rig.manifestOf('cccccccc-1'), old, old)
    expect(await rig.reconciler().run()).toMatchObject({ added: 2 })
    expect((await rig.get('aaaaaaaa-1'))?.revision).toBe(3)
    expect((await rig.get('bbbbbbbb-1'))?.revision).toBe(8)
    expect(await rig.get('cccccccc-1')).toEqual(entry)
  })

  it('lets the newest of several copies count', async () => {
    const copies = ['1', '2', '3'].map((name) => join(rig.recordDir, name, 'recording.json'))
    for (const [i, manifestPath] of copies.entries()) {
      await leave('aaaaaaaa-1', { status: 'completed', owner: null, manifestPath, revision: [4, 7, 5][i] ?? 1 }, 'disk')
    }
    await rig.reconciler().run()
    expect((await rig.get('aaaaaaaa-1'))?.manifest_path).toBe(copies[1])
  })

  it('mends a manifest whose last write was cut off', async () => {
    const { entry } = await leave('aaaaaaaa-1', { status: 'completed', owner: null })
    await rig.store.recordings.put({ ...entry, revision: 7, hold: true })
    rig.put(`${rig.manifestOf('aaaaaaaa-1')}.${dead}.tmp`, Buffer.from('{'))
    await rig.reconciler().run()
    expect(await rig.manifests.read(rig.manifestOf('aaaaaaaa-1'))).toMatchObject({ revision: 7, hold: true })
    expect(rig.tree.filter((name) => name.endsWith('.tmp'))).toEqual([])
  })

  it('finishes a cancellation or a failure whose last step was cut off', async () => {
    const files = [fileOf('a.mp4')]
    // the catalogue knew of the cancellation, the manifest not yet
    const { entry, directory } = await leave('aaaaaaaa-1', { status: 'recording', files })
    rig.put(join(directory, 'a.mp4'), whole)
    await rig.store.recordings.put({ ...entry, revision: 9, recording: { ...entry.recording, status: 'cancelled' } })
    // everything is gone, but the catalogue was not told
    await leave('bbbbbbbb-1', { status: 'cancelled', files }, 'store')
    // it was marked and put on hold while its files went: the manifest says no more by then, the catalogue does
    const { entry: late } = await leave('eeeeeeee-1', { status: 'cancelled', files })
    await rig.store.recordings.put({ ...late, revision: late.revision + 3, hold: true })
    const { entry: barren } = await leave('ffffffff-1', { status: 'failed', owner: null })
    await rig.store.recordings.put({ ...barren, revision: barren.revision + 3, hold: true })
    await leave('cccccccc-1', { status: 'failed', owner: null })
    await leave('dddddddd-1', { status: 'failed', owner: null }, 'store')
    await rig.reconciler().run()
    for (const id of ['aaaaaaaa-1', 'bbbbbbbb-1', 'eeeeeeee-1']) {
      expect(await rig.get(id)).toMatchObject({ manifest_path: null, recording: { status: 'cancelled', files: [] } })
    }
    for (const id of ['cccccccc-1', 'dddddddd-1', 'ffffffff-1']) {
      expect(await rig.get(id)).toMatchObject({ manifest_path: null, recording: { status: 'failed' } })
    }
    expect(rig.tree).toEqual([])
    expect(await rig.reconciler().run()).toEqual({ settled: 0, added: 0, removed: 0 })
  })

  it('lets a recording be that is deleted while its turn has not come yet', async () => {
    const files = [fileOf('a.mp4')]
    const left = [
      await leave('aaaaaaaa-1', { status: 'cancelled', files }),
      await leave('bbbbbbbb-1', { status: 'cancelled', files }, 'store'),
      await leave('cccccccc-1', { status: 'failed', owner: null }),
      await leave('dddddddd-1', { status: 'completed', owner: null, files }, 'disk'),
    ]
    const { entry: behind } = await leave('eeeeeeee-1', { status: 'completed', owner: null })
    await rig.store.recordings.put({ ...behind, revision: 7, hold: true })
    rig.beforeAlone = async (id) => {
      const entry = [...left.map((each) => each.entry), behind].find(({ recording }) => recording.recording_id === id)
      if (entry !== undefined) await rig.remover.delete(entry, 'requested')
    }
    await rig.reconciler().run()
    expect((await rig.store.recordings.list({ limit: 10 })).entries).toEqual([])
    expect(rig.tree).toEqual([])
  })

  it('is rid of a directory that a crash left before the manifest was in it, and nothing else', async () => {
    const left = dirname(rig.manifestOf('aaaaaaaa-1'))
    const fresh = dirname(rig.manifestOf('bbbbbbbb-2'))
    const theirs = join(dirname(left), 'holiday')
    for (const directory of [left, fresh, theirs]) mkdirSync(directory, { recursive: true })
    for (const directory of [left, theirs]) utimesSync(directory, 1_700_000_000, 1_700_000_000)
    await rig.reconciler().run()
    expect([left, fresh, theirs].map((directory) => existsSync(directory))).toEqual([false, true, true])
  })

  it('leaves a cancellation alone that another process is at', async () => {
    const owner = { node: NODE, pid: process.ppid, since: new Date().toISOString() }
    await leave('aaaaaaaa-1', { status: 'cancelled', owner, files: [fileOf('a.mp4')] })
    expect(await rig.reconciler().run()).toEqual({ settled: 0, added: 0, removed: 0 })
    expect(await rig.manifests.holds((await rig.get('aaaaaaaa-1')) ?? entryOf('none'))).toBe(true)
  })

  it('follows a directory that was moved, and never lists a copy twice', async () => {
    const { entry } = await leave('aaaaaaaa-1', { status: 'completed', owner: null }, 'disk')
    await rig.store.recordings.put({ ...entry, manifest_path: join(rig.recordDir, 'gone', 'recording.json') })
    const { entry: copied } = await leave('bbbbbbbb-1', { status: 'completed', owner: null })
    await rig.manifests.write({ ...copied, manifest_path: join(rig.recordDir, 'copy', 'recording.json') })
    await rig.reconciler().run()
    expect((await rig.get('aaaaaaaa-1'))?.manifest_path).toBe(rig.manifestOf('aaaaaaaa-1'))
    expect((await rig.get('bbbbbbbb-1'))?.manifest_path).toBe(rig.manifestOf('bbbbbbbb-1'))
    expect(await rig.store.recordings.count({})).toBe(2)
    expect(rig.lines.map(({ message }) => message)).toContain('two manifests of one recording: the newer counts')
  })

  it('is rid of a deletion that a crash cut off, at whatever moment', async () => {
    const files = [fileOf('a.mp4', { state: 'finalised' })]
    for (const [id, left] of [
      ['aaaaaaaa-1', 'file'],
      ['bbbbbbbb-1', 'marker'],
      ['cccccccc-1', 'directory'],
    ] as const) {
      const { directory } = await leave(id, { status: 'completed', owner: null, files })
      if (left === 'file') rig.put(join(directory, 'a.mp4'), whole)
      await rig.storage.rename(rig.manifestOf(id), `${directory}.deleted`)
      if (left === 'directory') mkdirSync(directory, { recursive: true })
      if (left === 'marker') rmSync(directory, { recursive: true })
    }
    expect(await rig.reconciler().run()).toMatchObject({ removed: 3, added: 0 })
    expect(await rig.store.recordings.count({})).toBe(0)
    expect(rig.tree).toEqual([])
  })

  it('gives a manifest to a file of an automatic recording that the journal alone knew', async () => {
    const path = join(rig.recordDir, 'live_test_1.mp4')
    rig.put(path, whole)
    rig.journal.opened({
      id: 'part-1',
      path,
      format: 'mp4',
      room: 'live',
      participant: 'test',
      startedAtMs: Date.parse(CREATED_AT),
      pid: dead,
    })
    const reconciler = rig.reconciler()
    rig.journal.closed('part-1') // as the recorder does once it is mended
    expect(await reconciler.run()).toMatchObject({ added: 1 })
    const [entry] = (await rig.store.recordings.list({ limit: 10 })).entries
    expect(entry).toMatchObject({ automatic: true, recording: { status: 'completed', file_name: 'live_test_1.mp4' } })
    expect(rig.tree).toEqual(['live_test_1.mp4', 'live_test_1.recording.json'])
    expect(await rig.reconciler().run()).toEqual({ settled: 0, added: 0, removed: 0 })
  })

  it('knows a file that was mended by a process that died, too, by its title and age', async () => {
    const soon = new Date(performance.timeOrigin - 60_000)
    const old = new Date(Date.now() - 48 * 3_600_000)
    const at = (name: string, time: Date, bytes = whole) => {
      rig.put(join(rig.recordDir, name), bytes)
      utimesSync(join(rig.recordDir, name), time, time)
    }
    const manifestPath = join(rig.recordDir, 'other.recording.json')
    await rig.manifests.write(entryOf('aaaaaaaa-1', { automatic: true, manifestPath, files: [fileOf('odd-name.mp4')] }))
    at('stray.mp4', soon)
    at('old.mp4', old)
    at('now.mp4', new Date())
    at('odd-name.mp4', soon) // is named by a manifest
    at('other.low.mp4', soon) // was made of something that is
    at('of-somebody-else.mp4', soon, new Uint8Array(1000))
    expect(await rig.reconciler().run()).toMatchObject({ added: 2 })
    const [entry] = (await rig.store.recordings.list({ limit: 10 })).entries
    expect(entry?.recording).toMatchObject({
      room_id: 'live',
      file_name: 'stray.mp4',
      participants: [{ participant_id: 'test' }],
    })
    expect(rig.tree.filter((name) => name.endsWith('.json'))).toEqual(['other.recording.json', 'stray.recording.json'])
  })

  it('finds the parts of an automatic recording by their names', async () => {
    const manifestPath = join(rig.recordDir, 'live_test_1.recording.json')
    const entry = entryOf('aaaaaaaa-1', {
      status: 'recording',
      owner: diedHere(),
      automatic: true,
      manifestPath,
      files: [fileOf('live_test_1.mp4')],
    })
    await rig.manifests.write(entry)
    for (const name of ['live_test_1.mp4', 'live_test_1_part2.mp4', 'live_test_10.mp4'])
      rig.put(join(rig.recordDir, name), whole)
    await rig.reconciler().run()
    const { recording } = (await rig.get('aaaaaaaa-1')) ?? entryOf('none')
    expect(recording.files.map(({ file_name }) => file_name)).toEqual(['live_test_1.mp4', 'live_test_1_part2.mp4'])
  })

  it('is the same after a second run, and reports a manifest that is damaged', async () => {
    rig.put(join(rig.recordDir, 'x', 'recording.json'), Buffer.from('{"version":1'))
    const { directory } = await leave('aaaaaaaa-1', { status: 'recording', files: [fileOf('a.mp4')] })
    rig.put(join(directory, 'a.mp4'), whole)
    await rig.reconciler().run()
    const first: CatalogueEntry | undefined = await rig.get('aaaaaaaa-1')
    expect(await rig.reconciler().run()).toEqual({ settled: 0, added: 0, removed: 0 })
    expect(await rig.get('aaaaaaaa-1')).toEqual(first)
    expect(rig.lines.some(({ message }) => message.startsWith('manifest cannot be read'))).toBe(true)
    expect(rig.tree).toContain('x/recording.json')
  })
})
