import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ManifestStore, parseManifest } from '../../src/service/manifest.ts'
import { locateFile } from '../../src/service/manifest-place.ts'
import type { CatalogueEntry } from '../../src/state/catalogue-entry.ts'
import { MemoryStorage } from '../../src/storage/memory.ts'
import { entryOf, fileOf } from './catalogue-rig.ts'

const PATH = '/rec/live_1_aaaaaaaa/recording.json'
const logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

/** A storage whose small files can be held up, and that counts what is written. */
class SlowStorage extends MemoryStorage {
  readonly written: number[] = []
  #gate: Promise<void> = Promise.resolve()
  #open: () => void = () => undefined

  hold(): void {
    this.#gate = new Promise((resolve) => {
      this.#open = resolve
    })
  }
  release(): void {
    this.#open()
  }
  override async replace(path: string, bytes: Uint8Array): Promise<void> {
    await this.#gate
    const { revision }: { revision: number } = JSON.parse(Buffer.from(bytes).toString())
    this.written.push(revision)
    await super.replace(path, bytes)
  }
}

const storeOn = (storage: MemoryStorage) => new ManifestStore({ storage, recordDir: '/rec', logger })
const revisionOf = (revision: number): CatalogueEntry => entryOf('aaaaaaaa', { revision, manifestPath: PATH })

describe('a manifest', () => {
  it('is read as it was written, wherever it lies then', async () => {
    const storage = new MemoryStorage()
    const files = [fileOf('a.mp4'), fileOf('thumbnails/0.jpg', { kind: 'thumbnail' })]
    const recording = { local_path: '/rec/live_1_aaaaaaaa/a.mp4', file_name: 'a.mp4' }
    const entry = entryOf('aaaaaaaa', { manifestPath: PATH, files, recording })
    await storeOn(storage).write(entry)
    expect(await storeOn(storage).read(PATH)).toEqual(entry)
    await storage.rename(PATH, '/rec/elsewhere/recording.json')
    expect(await storeOn(storage).read('/rec/elsewhere/recording.json')).toEqual({
      ...entry,
      manifest_path: '/rec/elsewhere/recording.json',
      recording: { ...entry.recording, local_path: '/rec/elsewhere/a.mp4' },
    })
  })

  it('is written in order, the newest of those that wait alone', async () => {
    const storage = new SlowStorage()
    const store = storeOn(storage)
    storage.hold()
    const all = [1, 2, 3, 9, 5, 4].map((revision) => store.write(revisionOf(revision)))
    storage.release()
    await Promise.all(all)
    expect(storage.written).toEqual([1, 9])
    await store.write(revisionOf(10))
    expect((await store.read(PATH)).revision).toBe(10)
  })

  it('holds the newest revision in the end, however writes come', async () => {
    const turns = fc.array(fc.tuple(fc.integer({ min: 1, max: 50 }), fc.boolean()), { minLength: 1, maxLength: 40 })
    await fc.assert(
      fc.asyncProperty(turns, async (writes) => {
        const storage = new SlowStorage()
        const store = storeOn(storage)
        const pending: Promise<void>[] = []
        let newest = 0
        for (const [step, waits] of writes) {
          newest += step
          pending.push(store.write(revisionOf(newest)))
          if (waits) await pending.at(-1)
        }
        await Promise.all(pending)
        expect((await store.read(PATH)).revision).toBe(newest)
        expect(storage.written).toEqual([...storage.written].sort((one, other) => one - other))
      }),
      { numRuns: 100 },
    )
  })

  it('that cannot be written says so, and the next one is tried', async () => {
    const storage = new MemoryStorage()
    const store = storeOn(storage)
    const replace = storage.replace.bind(storage)
    storage.replace = () => Promise.reject(new Error('no'))
    await expect(store.write(revisionOf(1))).rejects.toThrow('no')
    storage.replace = replace
    await store.write(revisionOf(2))
    expect((await store.read(PATH)).revision).toBe(2)
  })

  it('is gone after it was removed, whatever waited to be written', async () => {
    const storage = new SlowStorage()
    const store = storeOn(storage)
    storage.hold()
    const writes = [store.write(revisionOf(1)), store.write(revisionOf(2))]
    const removed = store.remove(revisionOf(2))
    storage.release()
    await Promise.all([...writes, removed])
    expect(await storage.list('/rec', 10)).toEqual([])
    await store.remove(revisionOf(2))
  })
})

describe('manifests on disk', () => {
  it('are found by name; damaged ones are reported and left alone', async () => {
    const storage = new MemoryStorage()
    const store = storeOn(storage)
    await store.write(entryOf('aaaaaaaa', { manifestPath: PATH }))
    await store.write(entryOf('bbbbbbbb', { manifestPath: '/rec/live_2.recording.json', automatic: true }))
    const entry = JSON.stringify(entryOf('cccccccc'))
    const deep = `${'['.repeat(65)}${']'.repeat(65)}`
    const faulty = {
      '/rec/1/recording.json': '',
      '/rec/2/recording.json': entry.slice(0, -20),
      '/rec/3/recording.json': entry.replace('"version":1', '"version":2'),
      '/rec/4/recording.json': entry.replace('"metadata":{}', `"metadata":{"x":${deep}}`),
      '/rec/5/recording.json': JSON.stringify(entryOf('d', { files: [fileOf('../../etc/passwd')] })),
      '/rec/6/recording.json': JSON.stringify(entryOf('e', { files: [fileOf('/etc/passwd')] })),
      '/rec/7/recording.json': `${entry}${' '.repeat(16 * 1024 * 1024)}`,
      '/rec/8.recording.json': JSON.stringify(entryOf('f', { automatic: true, files: [fileOf('../x.mp4')] })),
    }
    for (const [path, text] of Object.entries(faulty)) storage.put(path, Buffer.from(text))
    storage.put('/rec/live_2.mp4.json', Buffer.from('{}'))
    const faults: string[] = []
    const found: string[] = []
    for await (const { path } of store.find((path, error) => faults.push(`${path} ${error.code}`))) found.push(path)
    expect(found).toEqual([PATH, '/rec/live_2.recording.json'])
    expect(faults).toEqual(
      Object.keys(faulty)
        .map((path) => `${path} TD_MANIFEST`)
        .sort(),
    )
    expect((await storage.list('/rec', 100)).length).toBe(11)
  })

  it('are refused with a message that says what is wrong', () => {
    const wrong = JSON.stringify({ ...entryOf('aaaaaaaa'), hold: 'yes' })
    expect(() => parseManifest('/x', Buffer.from(wrong))).toThrow(/^\/x: not a manifest.*hold.*boolean/)
  })

  it('never lead out of their directory; those of automatic recordings not out of the recording directory', () => {
    const own = entryOf('a', { manifestPath: PATH })
    expect(locateFile(own, { path: 'x/../y.mp4' }, '/rec')).toBe('/rec/live_1_aaaaaaaa/y.mp4')
    for (const path of ['..', '../x.mp4', '.', 'a/../..', '/rec/x.mp4']) {
      expect(() => locateFile(own, { path }, '/rec'), path).toThrow('leads out of')
    }
    const automatic = entryOf('b', { manifestPath: '/rec/one/x.recording.json', automatic: true })
    expect(locateFile(automatic, { path: '../two/x.mp4' }, '/rec')).toBe('/rec/two/x.mp4')
    expect(() => locateFile(automatic, { path: '../../x.mp4' }, '/rec')).toThrow('leads out of')
  })
})
