import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Reindex, type ReindexReport } from '../../src/service/reindex.ts'
import { CatalogueRig, type EntryFacts, entryOf, fileOf } from './catalogue-rig.ts'

let rig: CatalogueRig

beforeEach(() => {
  rig = new CatalogueRig()
})
afterEach(() => rig.drop())

const reindex = (prune = false): Promise<ReindexReport> =>
  new Reindex({ recordings: rig.store.recordings, manifests: rig.manifests, prune }).run()

async function keep(id: string, facts: EntryFacts = {}) {
  const entry = entryOf(id, { manifestPath: rig.manifestOf(id), ...facts })
  await rig.manifests.write(entry)
  return entry
}

const NOTHING = { found: 0, added: 0, updated: 0, unchanged: 0, dropped: 0 }

describe('reindex', () => {
  it('makes the catalogue from manifests alone, and changes nothing the second time', async () => {
    const automatic = { automatic: true, manifestPath: join(rig.recordDir, 'live_test.recording.json') }
    const entries = [await keep('aaaaaaaa'), await keep('bbbbbbbb', automatic), await keep('cccccccc', { hold: true })]
    await keep('dddddddd', { status: 'cancelled' })
    expect(await reindex()).toMatchObject({ ...NOTHING, found: 3, added: 3, faulty: [], copies: [], missing: [] })
    for (const entry of entries) expect(await rig.get(entry.recording.recording_id)).toEqual(entry)
    expect(await rig.store.recordings.count({})).toBe(3)
    expect(await reindex(true)).toMatchObject({ ...NOTHING, found: 3, unchanged: 3 })
  })

  it('takes the newer revision of the two', async () => {
    const older = await keep('aaaaaaaa', { revision: 3 })
    const newer = await keep('bbbbbbbb', { revision: 9 })
    await rig.store.recordings.put({ ...older, revision: 5, hold: true })
    await rig.store.recordings.put({ ...newer, revision: 5, hold: true })
    expect(await reindex()).toMatchObject({ ...NOTHING, found: 2, updated: 1, unchanged: 1 })
    expect((await rig.get('aaaaaaaa'))?.hold).toBe(true)
    expect((await rig.get('bbbbbbbb'))?.hold).toBe(false)
  })

  it('marks files that are not there as removed', async () => {
    const files = [
      fileOf('a.mp4', { state: 'finalised', size_bytes: 5 }),
      fileOf('b.mp4', { state: 'finalised', size_bytes: 5 }),
    ]
    const entry = await keep('aaaaaaaa', { files })
    rig.put(join(rig.manifestOf('aaaaaaaa'), '..', 'a.mp4'), new Uint8Array(5))
    const report = await reindex()
    expect(report.missingFiles).toEqual([join(rig.manifestOf('aaaaaaaa'), '..', 'b.mp4')])
    const { recording } = (await rig.get('aaaaaaaa')) ?? entryOf('none')
    expect(recording.files.map(({ state }) => state)).toEqual(['finalised', 'removed'])
    expect(await rig.manifests.read(rig.manifestOf('aaaaaaaa'))).toEqual(entry)
  })

  it('lets the newer of two copies count, and names the other', async () => {
    const copies = ['1', '2', '3'].map((name) => join(rig.recordDir, name, 'recording.json'))
    for (const [index, manifestPath] of copies.entries())
      await keep('aaaaaaaa', { manifestPath, revision: [4, 7, 5][index] ?? 1 })
    expect(await reindex()).toMatchObject({
      ...{ found: 1, added: 1, updated: 0 },
      copies: [
        { id: 'aaaaaaaa', path: copies[0], instead: copies[1] },
        { id: 'aaaaaaaa', path: copies[2], instead: copies[1] },
      ],
    })
    expect((await rig.get('aaaaaaaa'))?.manifest_path).toBe(copies[1])
  })

  it('drops what has no manifest only when told, and never what is live, elsewhere, or never had one', async () => {
    const below = (id: string) => ({ manifestPath: rig.manifestOf(id) })
    await rig.store.recordings.put(entryOf('aaaaaaaa', below('aaaaaaaa')))
    await rig.store.recordings.put(entryOf('bbbbbbbb', { ...below('bbbbbbbb'), status: 'recording' }))
    await rig.store.recordings.put(entryOf('cccccccc', { manifestPath: '/elsewhere/recording.json' }))
    await rig.store.recordings.put(entryOf('dddddddd', { status: 'cancelled' }))
    rig.put(rig.manifestOf('eeeeeeee'), Buffer.from('{'))
    await rig.store.recordings.put(entryOf('eeeeeeee', below('eeeeeeee')))
    const before = await reindex()
    expect(before).toMatchObject({ dropped: 0, faulty: [{ path: rig.manifestOf('eeeeeeee') }] })
    expect([...before.missing].sort()).toEqual(['aaaaaaaa', 'bbbbbbbb', 'eeeeeeee'])
    const after = await reindex(true)
    expect(after.dropped).toBe(1)
    expect([...after.missing].sort()).toEqual(['bbbbbbbb', 'eeeeeeee'])
    expect(await rig.store.recordings.count({})).toBe(4)
  })
})
