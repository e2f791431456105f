import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openContainer } from '../../src/container/formats.ts'
import { Frame } from '../../src/media/frame.ts'
import type { Logger } from '../../src/media/ports.ts'
import type { Track } from '../../src/media/track.ts'
import { AuditLog } from '../../src/recorder/audit.ts'
import { recorderConfigSchema } from '../../src/recorder/config.ts'
import { Limiter } from '../../src/recorder/limiter.ts'
import { Outages } from '../../src/recorder/outages.ts'
import { aac, h264, Rig, Source, serials, upTo, vp8, write } from './rig.ts'

describe('a recorder', () => {
  it('finishes everything when it is stopped', async () => {
    const rig = await Rig.start()
    const sources = upTo(40).map((i) => {
      const source = new Source()
      write(rig.publish(`p${i}`), source.av(0, 2000))
      return source
    })
    const { recordings } = rig.recorder
    await rig.recorder.stop({ deadlineMs: 10_000 })
    expect(recordings.map(({ state }) => state)).toEqual(recordings.map(() => 'completed'))
    for (const i of upTo(40)) expect(serials(await rig.read(`/rec/live_p${i}.mp4`))).toEqual(upTo(sources[i].count))
    expect(rig.journal.list()).toEqual([])
    expect(rig.recorder.totals).toMatchObject({ started: 40, completed: 40 })
  })

  it('tells who listens, and survives listeners that fail', async () => {
    const rig = await Rig.start({ maxDurationMs: 1000 })
    const told: string[] = []
    rig.recorder.listen({
      created: () => {
        throw new Error('listener')
      },
    })
    const unlisten = rig.recorder.listen({
      started: ({ address }) => told.push(`started ${address.participant}`),
      created: (_, part) => told.push(`created ${part.path}`),
      finalised: (part) => told.push(`finalised ${part.path}`),
      moved: (_, from, to) => told.push(`${from} → ${to}`),
    })
    const stream = rig.publish()
    write(stream, new Source().av(0, 2000))
    await rig.finish(stream)
    expect(told.slice(0, 5)).toEqual([
      'started test',
      'pending → recording',
      'recording → processing',
      'created /rec/live_test.mp4',
      'created /rec/live_test_part2.mp4',
    ])
    expect(told.slice(5, 7).sort()).toEqual(['finalised /rec/live_test.mp4', 'finalised /rec/live_test_part2.mp4'])
    expect(told[7]).toBe('processing → completed')
    expect(told).toHaveLength(8)
    expect(rig.errors().map(({ message }) => message)).toEqual(['recorder listener failed', 'recorder listener failed'])
    unlisten()
    const again = rig.publish()
    write(again, new Source().av(0, 1000))
    await rig.finish(again)
    expect(told).toHaveLength(8)
    await rig.recorder.stop({ deadlineMs: 1000 })
  })

  it('logs numbers of each recording now and then', async () => {
    const rig = await Rig.start({ statsIntervalMs: 1 })
    const stream = rig.publish()
    write(stream, new Source(1000).av(0, 2000))
    const { fields } = await rig.line(/recording stats/)
    expect(fields).toMatchObject({ room: 'live', participant: 'test', state: 'recording', packets: 150, keyframes: 2 })
    expect(fields).toMatchObject({
      keyframeIntervalMs: 1000,
      droppedFrames: 0,
      gaps: 0,
      queuedFrames: 0,
      bytes: 150_000,
    })
    await rig.finish(stream)
    await rig.recorder.stop({ deadlineMs: 1000 })
  })

  it('does not wait long for a track that does not come', async () => {
    const rig = await Rig.start({ trackWaitMs: 100 })
    const stream = rig.publish()
    const source = new Source()
    write(stream, [source.frame(h264, 0, { key: true })])
    await rig.line(/^recording$/)
    write(stream, [source.frame(h264, 40), source.frame(aac, 60)])
    await rig.finish(stream)
    expect(serials(await rig.read('/rec/live_test.mp4'))).toEqual([0, 1, 2])
    await rig.recorder.stop({ deadlineMs: 1000 })
  })
})

describe('the settings of a recorder', () => {
  it('all have defaults', () => {
    expect(recorderConfigSchema.parse({})).toMatchObject({ dir: './recordings', format: 'auto', minFreeMb: 500 })
  })

  it('name what is wrong with a template', () => {
    const result = recorderConfigSchema.safeParse({ filename: '{rom}' })
    expect(result.error?.issues[0]?.message).toContain('there is no {rom}')
  })
})

describe('the audit log', () => {
  it('is JSON lines in order, for its owner alone', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'tapedeck-audit-'))
    const path = join(directory, 'deep', 'audit.log')
    const silent: Logger = { debug: () => 0, info: () => 0, warn: () => 0, error: () => 0 }
    const audit = new AuditLog(path, silent)
    for (let i = 0; i < 100; i++) audit.note('created', `/rec/${i}.mp4`, { i })
    await audit.close()
    audit.note('deleted', '/rec/"quoted"\n.mp4', {})
    await audit.close()
    const lines = readFileSync(path, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(lines.slice(0, 100).map(({ i }) => i)).toEqual(upTo(100))
    expect(lines[100]).toMatchObject({ event: 'deleted', path: '/rec/"quoted"\n.mp4' })
    expect(Date.parse(lines[0].time)).toBeGreaterThan(0)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    rmSync(directory, { recursive: true })
  })

  it('that cannot be written is said once and costs nothing', async () => {
    const errors: string[] = []
    const logger: Logger = { debug: () => 0, info: () => 0, warn: () => 0, error: (_, message) => errors.push(message) }
    const audit = new AuditLog('/dev/null/audit.log', logger)
    for (let i = 0; i < 10; i++) {
      audit.note('created', '/rec/a.mp4', {})
      await audit.close()
    }
    expect(errors).toEqual(['audit log cannot be written'])
  })
})

describe('a limiter', () => {
  it('runs so many at a time, also after failures', async () => {
    const limiter = new Limiter(3)
    let running = 0
    let most = 0
    const work = upTo(20).map((i) =>
      limiter.run(async () => {
        most = Math.max(most, ++running)
        await new Promise((resolve) => setImmediate(resolve))
        running--
        if (i % 4 === 0) throw new Error(String(i))
        return i
      }),
    )
    const results = await Promise.allSettled(work)
    expect(most).toBe(3)
    expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(5)
  })
})

describe('outages', () => {
  it('wait longer when files fail time after time, and tell the same failure once', () => {
    const outages = new Outages()
    const waits: number[] = []
    const news: boolean[] = []
    let nowMs = 0
    for (let i = 0; i < 8; i++) {
      news.push(outages.begin(new Error('same'), nowMs))
      expect(outages.begin(new Error('another'), nowMs)).toBe(false)
      const since = nowMs
      while (!outages.isRetryDue(nowMs)) nowMs += 100
      waits.push(nowMs - since)
      outages.end(nowMs)
    }
    expect(news).toEqual([true, false, false, false, false, false, false, false])
    expect(waits).toEqual([1000, 1000, 2000, 4000, 8000, 10_000, 10_000, 10_000])
    expect(outages.begin(new Error('same'), nowMs + 60_000)).toBe(true)
    outages.lose(5, 500)
    outages.end(nowMs + 61_000)
    expect(outages.tally.listed.at(-1)).toMatchObject({ code: 'INTERNAL', lostFrames: 5, lostBytes: 500 })
  })
})

describe('alpha', () => {
  it('that comes into a recording as MP4 begins a part that holds it, and is whole in there, whoever joined when', async () => {
    const rig = await Rig.start({ format: 'mp4' })
    const stream = rig.publish()
    const opaque: Track = { ...vp8, epoch: 0 }
    const seeThrough: Track = { ...opaque, epoch: 1, hasAlpha: true }
    const picture = (track: Track, ms: number, key: boolean, alphaBytes: number) => {
      const bytes = Uint8Array.from({ length: 20 + alphaBytes }, (_, i) => (i < 20 ? i : 0xa0 + ms))
      stream.write(new Frame(track, ms, ms, key, bytes.subarray(0, 20), undefined, alphaBytes))
    }
    stream.track(opaque)
    picture(opaque, 0, true, 0)
    picture(opaque, 40, false, 0)
    stream.track(seeThrough)
    picture(seeThrough, 80, true, 5)
    picture(seeThrough, 82, false, 6)
    const joined: string[] = []
    stream.subscribe(
      {
        kind: 'player',
        track: () => undefined,
        frame: ({ alpha }) => joined.push(Buffer.from(alpha).toString('hex')),
        flush: () => undefined,
        end: () => undefined,
      },
      { fromKeyframe: true },
    )
    expect(joined).toEqual(['f0f0f0f0f0', 'f2f2f2f2f2f2'])
    await rig.finish(stream)
    const [first, second] = ['/rec/live_test.mp4', '/rec/live_test_part2.mkv']
    expect((await rig.read(first)).samples).toHaveLength(2)
    const file = await rig.storage.open(second)
    const kept: string[] = []
    for await (const { alpha } of (await openContainer(file)).samples()) {
      if (alpha !== undefined) kept.push(Buffer.from(await file.read(alpha.offset, alpha.size)).toString('hex'))
    }
    expect(kept).toEqual(joined)
  })
})
