import { rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { StateAwayError } from '../../src/state/errors.ts'
import { openStateStore } from '../../src/state/open-store.ts'
import { RecordingWriter } from '../../src/state/recording-writer.ts'
import { Disk, describeOnDisks } from '../peers/disks.ts'
import { scratch } from '../peers/tapedeck.ts'
import { until } from '../peers/until.ts'
import { entryOf, LogLines } from '../state/entries.ts'

const cleanUps: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
})

describeOnDisks('state on a full disk', () => {
  it('is away, not broken, keeps what it had, and comes back by itself', async () => {
    const home = scratch('state-disk')
    cleanUps.push(() => home.drop())
    const disk = await Disk.tmpfs(home.path, 4)
    cleanUps.push(() => disk.drop())
    const log = new LogLines()
    const dataDir = join(disk.path, 'data')
    const store = await openStateStore({ dataDir, prefix: '', stateTtlMs: 1, indexTtlMs: 1, logger: log })
    cleanUps.push(() => store.close())
    await store.recordings.put(entryOf('before'))
    const { bavail, bsize } = statfsSync(disk.path)
    writeFileSync(join(disk.path, 'ballast'), Buffer.alloc(bavail * bsize))
    const refused: unknown = await (async () => {
      for (let i = 0; i < 500; i++) await store.recordings.put(entryOf(`n${i}`))
    })().catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(StateAwayError)
    expect(store.health).toMatchObject({ isReachable: false, problem: expect.stringMatching(/full/) })
    expect(await store.recordings.get('before')).toEqual(entryOf('before'))
    expect(store.health.isReachable).toBe(false)
    await expect(store.recordings.admit(entryOf('x'), { total: 999, perUser: 999 })).rejects.toThrow(StateAwayError)
    const writer = new RecordingWriter(store.recordings, log)
    cleanUps.push(() => writer.close())
    writer.put(entryOf('late'))
    expect(await writer.flush({ deadlineMs: 300 })).toBe(false)
    rmSync(join(disk.path, 'ballast'))
    await until('the state', () => (store.health.isReachable ? true : undefined))
    expect(await writer.flush({ deadlineMs: 10_000 })).toBe(true)
    expect(await store.recordings.get('late')).toEqual(entryOf('late'))
    expect(await store.recordings.get('x')).toBeUndefined()
  })
})
