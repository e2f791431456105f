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
