import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { type Block, blocks } from '../../src/media/block.ts'
import { DiskStorage } from '../../src/storage/disk.ts'
import { FileExistsError, FileMissingError } from '../../src/storage/errors.ts'
import { MemoryStorage } from '../../src/storage/memory.ts'
import type { Storage } from '../../src/storage/ports.ts'

const directory = mkdtempSync(join(tmpdir(), 'tapedeck-storage-'))
afterAll(() => rmSync(directory, { recursive: true }))
let count = 0
const freshPath = () => join(directory, 'deep', `er-${count}`, `file-${count++}.bin`)

async function contentOf(storage: Storage, path: string): Promise<Uint8Array> {
  const file = await storage.open(path)
  const bytes = await file.read(0, file.sizeBytes)
  await file.close()
  return bytes
}

const kinds: [string, () => Storage][] = [
  ['disk', () => new DiskStorage()],
  ['disk, fsync always', () => new DiskStorage({ fsync: 'always' })],
  ['memory', () => new MemoryStorage()],
]

describe.each(kinds)('storage: %s', (_name, make) => {
  const storage = make()

  it('holds exactly what was written and patched, whatever the sizes, and gives every block back', async () => {
    const step = fc.oneof(
      fc.record({ act: fc.constant('write'), size: fc.integer({ min: 0, max: 70_000 }), held: fc.boolean() }),
      fc.record({ act: fc.constant('small'), size: fc.integer({ min: 1, max: 40 }), held: fc.boolean() }),
      fc.record({ act: fc.constantFrom('patch', 'commit', 'flush', 'sync'), size: fc.nat(5000), held: fc.boolean() }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 80 }), async (steps) => {
        const path = freshPath()
        const file = await storage.create(path)
        let expected = Buffer.alloc(0)
        const given: { block: Block; bytes: Buffer; mark: number }[] = []
        for (const [i, { act, size, held }] of steps.entries()) {
          if (act === 'write' || act === 'small') {
            const block = blocks.acquire(size)
            const bytes = block.bytes.subarray(0, size).fill(i)
            expected = Buffer.concat([expected, bytes])
            file.write(bytes, held ? block : undefined)
            if (held) given.push({ block, bytes, mark: i })
            else {
              bytes.fill(0xee)
              block.release()
            }
          } else if (act === 'patch' && expected.length > size) {
            const offset = held ? size : expected.length - size // near the start, or what is still gathered
            const patch = Buffer.alloc(Math.min(100, expected.length - offset), 0xaa)
            patch.copy(expected, offset)
            file.patch(offset, patch)
          } else if (act === 'commit') file.commit()
          else if (act === 'flush') file.flush()
          else if (act === 'sync') file.sync()
          expect(file.position).toBe(expected.length)
        }
        await file.close()
        expect(Buffer.compare(Buffer.from(await contentOf(storage, path)), expected)).toBe(0)
        for (const { block, bytes, mark } of given) {
          expect(bytes.every((byte) => byte === mark)).toBe(true) // others read the same media
          expect(block.holders).toBe(1)
          block.release()
        }
      }),
      { numRuns: 40 },
    )
  })

  it('never overwrites: a taken name is an error of its own', async () => {
    const path = freshPath()
    await (await storage.create(path)).close()
    await expect(storage.create(path)).rejects.toThrow(FileExistsError)
    await expect(storage.open(`${path}.none`)).rejects.toThrow(FileMissingError)
  })

  it('renames only to free names', async () => {
    const [a, b] = [freshPath(), freshPath()]
    await storage.replace(a, Buffer.from('a'))
    await storage.replace(b, Buffer.from('b'))
    await expect(storage.rename(a, b)).rejects.toThrow(FileExistsError)
    await storage.rename(a, `${a}.moved`)
    expect(Buffer.from(await contentOf(storage, `${a}.moved`)).toString()).toBe('a')
  })

  it('replaces small files as a whole, lists, and removes', async () => {
    const path = freshPath()
    await storage.replace(path, Buffer.from('one'))
    await storage.replace(path, Buffer.from('two and more'))
    expect(Buffer.from(await contentOf(storage, path)).toString()).toBe('two and more')
    const listed = await storage.list(directory, 1000)
    expect(listed.find((file) => file.path === path)?.sizeBytes).toBe(12)
    expect(await storage.list(directory, 1)).toHaveLength(1)
    expect(await storage.list(join(directory, 'nowhere'), 10)).toEqual([])
    await storage.remove(path)
    await storage.remove(path)
    await expect(storage.open(path)).rejects.toThrow(FileMissingError)
  })

  it('notices that its file is gone or replaced', async () => {
    const path = freshPath()
    const file = await storage.create(path)
    expect(await file.inPlace()).toBe(true)
    await storage.remove(path)
    expect(await file.inPlace()).toBe(false)
    await storage.replace(path, Buffer.from('another'))
    expect(await file.inPlace()).toBe(false)
    await file.abort()
    await file.abort()
  })

  it('mends in place', async () => {
    const path = freshPath()
    await storage.replace(path, Buffer.from('0123456789'))
    const file = await storage.open(path)
    await file.write(2, Buffer.from('xy'))
    await file.truncate(6)
    await file.write(file.sizeBytes, Buffer.from('!'))
    expect(Buffer.from(await file.read(0, 100)).toString()).toBe('01xy45!')
    await file.sync()
    await file.close()
  })

  it('knows the room that is left, also where the directory is yet to be made', async () => {
    expect(await storage.freeBytes(join(directory, 'not', 'yet'))).toBeGreaterThan(0)
  })
})

describe('disk storage', () => {
  it('makes files that only their owner can read', async () => {
    const path = freshPath()
    await (await new DiskStorage().create(path)).close()
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  it('says that there is room again after every backlog, also one that was just reached', async () => {
    const file = await new DiskStorage({ highWaterBytes: 100_000 }).create(freshPath())
    for (const sizeBytes of [100_000, 1_000_000, 120_000]) {
      const drained = new Promise<void>((resolve) => {
        file.onDrain = resolve
      })
      file.write(Buffer.alloc(sizeBytes))
      file.commit()
      file.flush()
      await drained
      expect(file.backlogBytes).toBeLessThan(50_000)
    }
    await file.close()
  })

  it('goes on writing while it forces to the disk, and closes after both', async () => {
    const path = freshPath()
    const file = await new DiskStorage({ fsync: 'interval', fsyncIntervalMs: 100 }).create(path)
    const until = performance.now() + 700
    let written = 0
    while (performance.now() < until) {
      file.write(Buffer.alloc(50_000))
      file.commit()
      written += 50_000
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    await file.close()
    expect(file.failure).toBeUndefined()
    expect(statSync(path).size).toBe(written)
  })

  it('holds little more than its backlog, however small the units and however often they are patched', async () => {
    const file = await new DiskStorage().create(freshPath())
    const before = blocks.usedBytes
    for (let unit = 0; unit < 20_000; unit++) {
      const offset = file.position
      file.write(Buffer.alloc(100))
      file.patch(offset + 4, Buffer.alloc(8))
      file.commit()
    }
    expect(file.backlogBytes).toBe(2_000_000)
    expect(blocks.usedBytes - before).toBeLessThan(3_000_000)
    await file.close()
    expect(blocks.usedBytes).toBe(before)
  })

  it('sends off what waits without being asked', async () => {
    const path = freshPath()
    const file = await new DiskStorage().create(path)
    file.write(Buffer.from('small'))
    await expect.poll(() => statSync(path).size, { timeout: 10_000 }).toBe(5)
    await file.close()
  })
})

describe('memory storage', () => {
  it('runs full like a disk', async () => {
    const storage = new MemoryStorage({ capacityBytes: 10 })
    const file = await storage.create('/a')
    const failures: Error[] = []
    file.onFailure = (error) => failures.push(error)
    file.write(Buffer.alloc(8))
    file.flush()
    file.write(Buffer.alloc(8))
    file.flush()
    await expect(file.close()).rejects.toThrow('no space')
    expect(failures).toHaveLength(1)
    expect(storage.bytesOf('/a')).toHaveLength(8)
  })

  it('stalls like a disk', async () => {
    const storage = new MemoryStorage({ highWaterBytes: 10 })
    const file = await storage.create('/a')
    let drained = 0
    file.onDrain = () => drained++
    storage.stalled = true
    file.write(Buffer.alloc(20))
    file.flush()
    expect([file.backlogBytes, storage.bytesOf('/a').length, drained]).toEqual([20, 0, 0])
    storage.stalled = false
    expect([file.backlogBytes, storage.bytesOf('/a').length, drained]).toEqual([0, 20, 1])
    await file.close()
  })
})

it('storage on a disk removes directories, but nothing that has a file in it', async () => {
  const storage = new DiskStorage()
  const root = join(directory, 'to-go')
  mkdirSync(join(root, 'a', 'b'), { recursive: true })
  mkdirSync(join(root, 'c'))
  writeFileSync(join(root, 'c', 'kept'), 'x')
  await storage.removeDirectory(root)
  expect(readdirSync(root)).toEqual(['c'])
  await storage.remove(join(root, 'c', 'kept'))
  await storage.removeDirectory(root)
  await storage.removeDirectory(root)
  expect(existsSync(root)).toBe(false)
})
