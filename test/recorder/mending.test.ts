import { describe, expect, it } from 'vitest'
import { mendFile } from '../../src/recorder/mending.ts'
import { storageError } from '../../src/storage/errors.ts'
import { MemoryStorage } from '../../src/storage/memory.ts'
import type { OpenFile } from '../../src/storage/ports.ts'
import { Rig, Source, write } from './rig.ts'

/** A memory storage on which opened files cannot grow beyond `limitBytes`. */
class FullStorage extends MemoryStorage {
  limitBytes = Number.POSITIVE_INFINITY

  override async open(path: string): Promise<OpenFile> {
    const file = await super.open(path)
    const write = file.write.bind(file)
    file.write = async (offset, bytes) => {
      const room = Math.max(0, this.limitBytes - offset)
      await write(offset, bytes.subarray(0, room))
      if (room >= bytes.length) return
      throw storageError(path, 'write', Object.assign(new Error('full'), { code: 'ENOSPC' }))
    }
    return file
  }
}

describe.each(['mp4', 'mkv'] as const)('mending %s on a full disk', (format) => {
  it('leaves the file as playable as it was, and succeeds when there is room', async () => {
    const storage = new FullStorage()
    const rig = await Rig.start({ format }, { storage })
    const stream = rig.publish()
    write(stream, new Source(2000).av(0, 6000))
    await rig.finish(stream)
    await rig.recorder.stop({ deadlineMs: 1000 })
    const path = `/rec/live_test.${format}`
    const whole = storage.bytesOf(path)
    const torn = whole.subarray(0, Math.floor(whole.length * 0.7))
    storage.put(path, torn)
    const before = (await rig.read(path)).samples.length
    for (const spareBytes of [0, 1, 100, 1000]) {
      storage.limitBytes = torn.length - 5000 + spareBytes
      await mendFile(storage, path).catch((error: unknown) => expect(error).toMatchObject({ code: 'TD_DISK_FULL' }))
      expect((await rig.read(path)).samples).toHaveLength(before)
    }
    storage.limitBytes = Number.POSITIVE_INFINITY
    expect(await mendFile(storage, path)).toMatchObject({ frames: before })
    const content = await rig.read(path)
    expect(content.finalised).toBe(true)
    expect(content.samples).toHaveLength(before)
  })
})

/** A memory storage whose opened files stop in the middle of their `steps`th change, and for good, as when a process dies. */
class DyingStorage extends MemoryStorage {
  steps = Number.POSITIVE_INFINITY

  override async open(path: string): Promise<OpenFile> {
    const file = await super.open(path)
    const write = file.write.bind(file)
    const truncate = file.truncate.bind(file)
    const isAlive = () => this.steps-- > 0
    const dead = () => Promise.reject(new Error('dead'))
    file.write = async (offset, bytes) => {
      if (isAlive()) await write(offset, bytes)
      else {
        // a write that is killed has come as far as some page
        const written = Math.floor(bytes.length / 2 / 4096) * 4096
        if (this.steps === -1) await write(offset, bytes.subarray(0, written))
        await dead()
      }
    }
    file.truncate = async (sizeBytes) => (isAlive() ? truncate(sizeBytes) : dead())
    return file
  }
}

describe.each(['mp4', 'flv', 'mkv'] as const)('mending %s', (format) => {
  it.each([0.7, 1])('that dies at any of its steps is done by the next', async (share) => {
    const storage = new DyingStorage()
    const rig = await Rig.start({ format }, { storage })
    const stream = rig.publish()
    write(stream, new Source(2000).av(0, 6000))
    await rig.line(/^recording$/)
    for (const recording of rig.recorder.recordings) recording.tick(performance.now() + 1000, true)
    const path = `/rec/live_test.${format}`
    const torn = storage.bytesOf(path)
    const left = torn.slice(0, Math.floor(torn.length * share))
    await rig.finish(stream)
    await rig.recorder.stop({ deadlineMs: 1000 })
    storage.put(path, left)
    const before = (await rig.read(path)).samples.length
    expect(before).toBeGreaterThan(100)
    let deaths = 0
    for (; ; deaths++) {
      storage.put(path, left)
      storage.steps = deaths
      const isDone = await mendFile(storage, path).then(
        () => true,
        () => false,
      )
      expect((await rig.read(path)).samples.length, `after ${deaths} steps`).toBe(before)
      storage.steps = Number.POSITIVE_INFINITY
      expect(await mendFile(storage, path), `after ${deaths} steps`).toMatchObject({ frames: before, removed: false })
      const content = await rig.read(path)
      expect(content).toMatchObject({ finalised: true, faults: [] })
      expect(content.samples).toHaveLength(before)
      if (isDone) break
    }
    expect(deaths).toBeGreaterThan(0)
  })
})
