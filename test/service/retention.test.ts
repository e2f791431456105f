import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { DeletionReason } from '../../src/service/removal.ts'
import { Retention, type RetentionLimits } from '../../src/service/retention.ts'
import { CatalogueRig, type EntryFacts, entryOf, fileOf } from './catalogue-rig.ts'

const HOUR_MS = 3_600_000
const MB = 1_000_000
const NONE: RetentionLimits = { forMs: undefined, totalBytes: undefined, freeBytes: undefined }

let rig: CatalogueRig
let removed: [string, DeletionReason][] = []
let freeBytes = 1000 * MB

beforeEach(() => {
  rig = new CatalogueRig()
  removed = []
  freeBytes = 1000 * MB
})
afterEach(() => rig.drop())

/** A recording of 10 MB that ended so many hours ago, on disk and in the catalogue. */
async function keep(id: string, hoursAgo: number, facts: EntryFacts = {}): Promise<void> {
  const at = new Date(Date.now() - hoursAgo * HOUR_MS).toISOString()
  const manifestPath = rig.manifestOf(id)
  const files = [fileOf('a.mp4', { state: 'finalised', size_bytes: 10 * MB })]
  const entry = entryOf(id, { manifestPath, files, createdAt: at, recording: { processed_at: at }, ...facts })
  await rig.store.recordings.put(entry)
  if (entry.manifest_path === null) return
  await rig.manifests.write(entry)
  rig.put(join(manifestPath, '..', 'a.mp4'), new Uint8Array(10))
}

function retention(limits: Partial<RetentionLimits>, isHere = true): Retention {
  return new Retention({
    limits: { ...NONE, ...limits },
    recordings: rig.store.recordings,
    isHere: () => isHere,
    remove: async (entry, reason) => {
      removed.push([entry.recording.recording_id, reason])
      freeBytes += 10 * MB
      await rig.remover.delete(entry, reason)
    },
    freeBytes: async () => freeBytes,
    logger: rig.logger,
  })
}

const held = { hold: true }

describe('retention', () => {
  it('deletes what is too old, with all its files, and tells of it', async () => {
    await keep('aaaaaaaa', 30)
    await keep('bbbbbbbb', 20)
    await keep('cccccccc', 30, held)
    await keep('dddddddd', 30, { status: 'recording' })
    await keep('eeeeeeee', 30, { status: 'failed' })
    expect(await retention({ forMs: 24 * HOUR_MS }).run()).toEqual({ deleted: 2, forgotten: 0 })
    expect(removed.map(([id]) => id).sort()).toEqual(['aaaaaaaa', 'eeeeeeee'])
    expect(await rig.get('aaaaaaaa')).toBeUndefined()
    expect(rig.tree.filter((name) => name.includes('aaaaaaaa') || name.includes('eeeeeeee'))).toEqual([])
    expect(rig.tree.filter((name) => name.endsWith('a.mp4'))).toHaveLength(3)
    expect(rig.events.map(({ type, data }) => [type, data.reason])).toEqual([
      ['recording_deleted', 'age'],
      ['recording_deleted', 'age'],
    ])
  })

  it('deletes the oldest while all together are too large; what is on hold counts, and stays', async () => {
    for (const [id, hours] of [
      ['a', 5],
      ['b', 4],
      ['c', 3],
      ['d', 2],
      ['e', 1],
    ] as const) {
      await keep(id.repeat(8), hours, id === 'a' ? held : {})
    }
    await retention({ totalBytes: 30 * MB }).run()
    expect(removed).toEqual([
      ['bbbbbbbb', 'total-size'],
      ['cccccccc', 'total-size'],
    ])
  })

  it('deletes the oldest while too little is free', async () => {
    for (const [id, hours] of [
      ['a', 5],
      ['b', 4],
      ['c', 3],
    ] as const)
      await keep(id.repeat(8), hours)
    freeBytes = 85 * MB
    await retention({ freeBytes: 100 * MB }).run()
    expect(removed).toEqual([
      ['aaaaaaaa', 'free-space'],
      ['bbbbbbbb', 'free-space'],
    ])
  })

  it('leaves everything alone without limits, and files of other nodes', async () => {
    await keep('aaaaaaaa', 1000)
    expect(await retention({}).run()).toEqual({ deleted: 0, forgotten: 0 })
    expect(await retention({ forMs: 1, totalBytes: 1, freeBytes: 1e15 }, false).run()).toMatchObject({ deleted: 0 })
    expect(removed).toEqual([])
  })

  it('forgets cancelled recordings after a day', async () => {
    const at = (hours: number) => new Date(Date.now() - hours * HOUR_MS).toISOString()
    const gone = { status: 'cancelled', manifestPath: null } as const
    await keep('aaaaaaaa', 25, { ...gone, recording: { stopped_at: at(25) } })
    await keep('bbbbbbbb', 25, { ...gone, recording: { stopped_at: at(23) } })
    expect(await retention({}).run()).toEqual({ deleted: 0, forgotten: 1 })
    expect(await rig.get('aaaaaaaa')).toBeUndefined()
    expect(await rig.get('bbbbbbbb')).toBeDefined()
  })

  it('goes on with the others when one cannot be deleted', async () => {
    await keep('aaaaaaaa', 30)
    await keep('bbbbbbbb', 29)
    const original = rig.storage.rename.bind(rig.storage)
    rig.storage.rename = (from, to) =>
      from.includes('aaaaaaaa') ? Promise.reject(new Error('no')) : original(from, to)
    expect(await retention({ forMs: HOUR_MS }).run()).toMatchObject({ deleted: 1 })
    expect(rig.lines.map(({ message }) => message)).toEqual(['recording could not be deleted yet'])
  })
})

describe('a deletion', () => {
  it('while the state is away is finished by the next start', async () => {
    await keep('aaaaaaaa', 1)
    const entry = (await rig.get('aaaaaaaa')) ?? entryOf('none')
    rig.isAway = true
    await rig.remover.delete(entry, 'requested')
    await rig.store.recordings.put(entry) // it had not been forgotten yet
    expect(rig.tree.filter((name) => name.endsWith('.mp4'))).toEqual([])
    rig.isAway = false
    expect(await rig.reconciler().run()).toMatchObject({ removed: 1 })
    expect([await rig.get('aaaaaaaa'), rig.tree]).toEqual([undefined, []])
  })

  it('of what the catalogue alone knows is not said to be done before that has forgotten it', async () => {
    rig.isAway = true
    const deletion = rig.remover.delete(entryOf('aaaaaaaa', { status: 'cancelled' }), 'requested')
    await expect(deletion).rejects.toMatchObject({ code: 'TD_STATE_AWAY' })
    expect(rig.typesOf('aaaaaaaa')).toEqual([])
  })

  it('leaves alone what is not of the recording', async () => {
    await keep('aaaaaaaa', 1)
    const directory = join(rig.manifestOf('aaaaaaaa'), '..')
    rig.put(join(directory, 'letter.odt'), new Uint8Array(1))
    rig.put(join(rig.recordDir, 'other.mp4'), new Uint8Array(1))
    rig.put(join(directory, 'thumbnails', '1.jpg'), new Uint8Array(1))
    const entry = await rig.get('aaaaaaaa')
    if (entry !== undefined) await rig.remover.delete(entry, 'requested')
    const files = rig.tree.filter((name) => /\.\w+$/.test(name) && !name.endsWith('aaaaaaaa'))
    expect(files.map((name) => name.split('/').at(-1)).sort()).toEqual(['letter.odt', 'other.mp4'])
  })
})
