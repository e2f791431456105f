import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { OpenFileRegister } from '../../src/recorder/open-file-register.ts'
import { isProcessOf } from '../../src/recorder/process-life.ts'
import { Recovery } from '../../src/recorder/recovery.ts'
import type { JournalEntry } from '../../src/state/journal.ts'
import { SqliteJournal } from '../../src/state/sqlite-journal.ts'
import { storageError } from '../../src/storage/errors.ts'
import { MemoryStorage } from '../../src/storage/memory.ts'
import { Rig, Source, write } from './rig.ts'

/** A process id that was used and is free again. */
async function deadPid(): Promise<number> {
  const child = spawn(process.execPath, ['-e', ''], { stdio: 'ignore' })
  await once(child, 'exit')
  return child.pid ?? 0
}

const entry = (id: string, path: string, pid: number, startedAtMs = Date.now()): JournalEntry => ({
  id,
  path,
  pid,
  startedAtMs,
  format: 'mp4',
  room: 'live',
  participant: 'test',
})

/** The bytes of a finished recording. */
async function recorded(format: 'mp4' | 'flv' | 'mkv'): Promise<Uint8Array> {
  const rig = await Rig.start({ format })
  const stream = rig.publish()
  write(stream, new Source(2000).av(0, 5000))
  await rig.finish(stream)
  await rig.recorder.stop({ deadlineMs: 1000 })
  return rig.storage.bytesOf(`/rec/live_test.${format}`)
}

describe('recovery', () => {
  it('mends what a crash left, and says what', async () => {
    const storage = new MemoryStorage()
    const journal = new SqliteJournal(':memory:')
    const pid = await deadPid()
    for (const format of ['mp4', 'flv', 'mkv'] as const) {
      const whole = await recorded(format)
      storage.put(`/rec/torn.${format}`, whole.subarray(0, Math.floor(whole.length * 0.6)))
      journal.opened({ ...entry(format, `/rec/torn.${format}`, pid), format })
    }
    storage.put('/rec/empty.mp4', new Uint8Array())
    journal.opened(entry('empty', '/rec/empty.mp4', pid))
    journal.opened(entry('gone', '/rec/gone.mp4', pid))
    storage.put('/rec/noise.mp4', new Uint8Array(1000).fill(7))
    journal.opened(entry('noise', '/rec/noise.mp4', pid))
    storage.put('/rec/others.mp4', new Uint8Array(5))
    journal.opened(entry('others', '/rec/others.mp4', process.ppid))

    const rig = await Rig.start({}, { storage, journal })
    await rig.recorder.recovered()
    expect(rig.recorder.recovery).toEqual({ isRunning: false, found: 6, repaired: 4, failed: 2 })
    expect(journal.list().map(({ id }) => id)).toEqual(['others'])
    for (const format of ['mp4', 'flv', 'mkv']) {
      const { samples } = await rig.read(`/rec/torn.${format}`)
      expect(samples.length, format).toBeGreaterThan(100)
    }
    expect(storage.bytesOf('/rec/noise.mp4')).toEqual(new Uint8Array(1000).fill(7))
    expect((await storage.list('/rec', 20)).map(({ path }) => path)).not.toContain('/rec/empty.mp4')
    const events = Object.fromEntries(rig.audits.map(({ event, path }) => [path, event]))
    expect(events).toEqual({
      '/rec/torn.mp4': 'repaired',
      '/rec/torn.flv': 'repaired',
      '/rec/torn.mkv': 'repaired',
      '/rec/empty.mp4': 'deleted',
      '/rec/gone.mp4': 'failed',
      '/rec/noise.mp4': 'failed',
    })
    await rig.recorder.stop({ deadlineMs: 1000 })
  })

  it('tries again what the machine did not let it do, and says so once', async () => {
    const { storage, journal, lines, audits } = new Rig()
    const open = storage.open.bind(storage)
    const busy: typeof open = (path) =>
      Promise.reject(storageError(path, 'open', Object.assign(new Error(), { code: 'EIO' })))
    const whole = await recorded('mp4')
    storage.put('/rec/torn.mp4', whole.subarray(0, whole.length / 2))
    journal.opened(entry('torn', '/rec/torn.mp4', await deadPid()))
    const log = (_: object, message: string) => lines.push({ level: 'info', message, fields: {} })
    const logger = { debug: log, info: log, warn: log, error: log }
    const recovery = new Recovery({
      storage,
      register: new OpenFileRegister(journal, logger),
      audit: { note: (event, path, details) => audits.push({ event, path, details }) },
      logger,
    })
    storage.open = busy
    await recovery.run()
    await recovery.run()
    expect(recovery.progress).toEqual({ isRunning: false, found: 1, repaired: 0, failed: 1 })
    expect(recovery.isIncomplete).toBe(true)
    expect(lines.filter(({ message }) => /tried again/.test(message))).toHaveLength(1)
    expect(journal.list()).toHaveLength(1)
    storage.open = open
    await recovery.run()
    expect(recovery.progress).toEqual({ isRunning: false, found: 1, repaired: 1, failed: 0 })
    expect(recovery.isIncomplete).toBe(false)
    expect(journal.list()).toEqual([])
  })

  it('leaves to another process what that one mends, and looks again later', async () => {
    const { storage, journal, lines, audits } = new Rig()
    const whole = await recorded('mkv')
    storage.put('/rec/torn.mkv', whole.subarray(0, whole.length / 2))
    journal.opened(entry('torn', '/rec/torn.mkv', await deadPid()))
    const log = (_: object, message: string) => lines.push({ level: 'info', message, fields: {} })
    const logger = { debug: log, info: log, warn: log, error: log }
    const recovery = new Recovery({
      storage,
      register: new OpenFileRegister(journal, logger),
      audit: { note: (event, path, details) => audits.push({ event, path, details }) },
      logger,
    })
    const claim = journal.claim.bind(journal)
    journal.claim = () => undefined
    await recovery.run()
    expect(recovery.progress).toEqual({ isRunning: false, found: 0, repaired: 0, failed: 0 })
    expect(recovery.isIncomplete).toBe(true)
    expect(audits).toEqual([])
    journal.claim = claim
    await recovery.run()
    expect(recovery.progress).toEqual({ isRunning: false, found: 1, repaired: 1, failed: 0 })
    expect(recovery.isIncomplete).toBe(false)
  })

  it('removes what was left before its first frame, and nothing else', async () => {
    const storage = new MemoryStorage()
    const journal = new SqliteJournal(':memory:')
    const pid = await deadPid()
    for (const format of ['mp4', 'flv', 'mkv'] as const) {
      const whole = await recorded(format)
      storage.put(`/rec/head.${format}`, whole.subarray(0, format === 'mp4' ? 40 : 300))
      journal.opened({ ...entry(`head-${format}`, `/rec/head.${format}`, pid), format })
    }
    storage.put('/rec/nothing.mkv', new Uint8Array(5))
    journal.opened({ ...entry('nothing', '/rec/nothing.mkv', pid), format: 'mkv' })
    const large = new Uint8Array(1_000_000)
    large.set((await recorded('flv')).subarray(0, 13))
    storage.put('/rec/large.flv', large)
    journal.opened({ ...entry('large', '/rec/large.flv', pid), format: 'flv' })
    const rig = await Rig.start({}, { storage, journal })
    await rig.recorder.recovered()
    expect((await storage.list('/rec', 20)).map(({ path }) => path)).toEqual(['/rec/large.flv'])
    expect(rig.audits.filter(({ event }) => event === 'deleted')).toHaveLength(4)
    expect(journal.list()).toEqual([])
    await rig.recorder.stop({ deadlineMs: 1000 })
  })

  it('does not touch what is being recorded meanwhile', async () => {
    const rig = await Rig.start()
    const stream = rig.publish()
    write(stream, new Source().av(0, 2000))
    await rig.line(/^recording$/)
    const second = await Rig.start({ recordAll: false }, rig)
    await second.recorder.recovered()
    expect(second.recorder.recovery.found).toBe(0)
    await rig.finish(stream)
    expect((await rig.read('/rec/live_test.mp4')).finalised).toBe(true)
    await rig.recorder.stop({ deadlineMs: 1000 })
    await second.recorder.stop({ deadlineMs: 1000 })
  })
})

describe('the life of a process', () => {
  it('is told from that of another with its number', async () => {
    expect(isProcessOf(process.pid, Date.now())).toBe(true)
    expect(isProcessOf(process.ppid, Date.now())).toBe(true)
    expect(isProcessOf(process.pid, Date.now() - performance.now() - 60_000)).toBe(false)
    expect(isProcessOf(process.pid, 1000)).toBe(false)
    expect(isProcessOf(await deadPid(), Date.now())).toBe(false)
    expect(isProcessOf(0, Date.now())).toBe(false)
    expect(isProcessOf(-1, Date.now())).toBe(false)
  })
})
