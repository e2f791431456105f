import { describe, expect, it } from 'vitest'
import { MemoryStorage } from '../../src/storage/memory.ts'
import { aac, h264, Rig, Source, serials, upTo, write } from './rig.ts'

describe('a disk that is full', () => {
  it.each(['mp4', 'flv', 'mkv'] as const)(
    'closes %s playable, leaves the stream and the others alone, and resumes',
    async (format) => {
      const storage = new MemoryStorage({ capacityBytes: 300_000 })
      const rig = await Rig.start({ format, minFreeMb: 0 }, { storage })
      const source = new Source(1000)
      const stream = rig.publish()
      const player = { frames: 0, ended: false }
      stream.subscribe(
        {
          kind: 'player',
          track: () => undefined,
          frame: () => player.frames++,
          flush: () => undefined,
          end: () => {
            player.ended = true
          },
        },
        { fromKeyframe: true },
      )
      const [recording] = rig.recorder.recordings
      for (let ms = 0; ms < 6000; ms += 500) {
        write(stream, source.av(ms, ms + 500))
        await Promise.resolve()
      }
      await rig.line(/is interrupted/)
      expect(rig.errors()).toHaveLength(1)
      expect(rig.errors()[0].fields).toMatchObject({ code: 'TD_DISK_FULL', room: 'live', participant: 'test' })
      expect(recording.state).toBe('recording')
      expect(recording.interruption?.code).toBe('TD_DISK_FULL')
      const torn = await rig.read(`/rec/live_test.${format}`)
      expect(torn.samples.length).toBeGreaterThan(150)

      storage.capacityBytes = 50_000_000
      for (let ms = 6000; rig.lines.every(({ message }) => !/goes on in a new file/.test(message)); ms += 1000) {
        write(stream, source.av(ms, ms + 1000))
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
      write(stream, source.av(60_000, 61_000))
      await rig.finish(stream)
      expect(player.frames).toBe(source.count)
      const { parts, outages, state } = recording.report()
      expect(state).toBe('completed')
      expect(parts.map(({ reason }) => reason)).toEqual(['start', 'resume'])
      expect(parts[0].fault?.code).toBe('TD_DISK_FULL')
      expect(outages).toMatchObject({ count: 1, listed: [{ code: 'TD_DISK_FULL' }] })
      const last = await rig.read(parts[1].path)
      expect(last.samples[0]).toMatchObject({ kind: 'video', key: true, dtsMs: 0 })
      expect(last.finalised).toBe(true)
      expect(serials(torn).every((serial, i) => serial === i)).toBe(true)
      await rig.recorder.stop({ deadlineMs: 1000 })
    },
  )

  it('is not waited for: files are finished while there is room to', async () => {
    const storage = new MemoryStorage({ capacityBytes: 5_000_000 })
    const rig = await Rig.start({ minFreeMb: 2 }, { storage })
    const source = new Source(1000)
    const stream = rig.publish()
    const [recording] = rig.recorder.recordings
    for (let ms = 0; !rig.lines.some(({ message }) => /is interrupted/.test(message)); ms += 1000) {
      write(stream, source.av(ms, ms + 1000))
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    expect(rig.errors()[0].fields.code).toBe('TD_DISK_LOW')
    expect(storage.usedBytes).toBeLessThan(5_000_000)
    await rig.finish(stream)
    const content = await rig.read('/rec/live_test.mp4')
    expect(content.finalised).toBe(true)
    expect(recording.state).toBe('completed')
    expect(recording.report().error?.code).toBe('TD_DISK_LOW')
    await rig.recorder.stop({ deadlineMs: 1000 })
  })

  it('lets nothing begin that cannot go on', async () => {
    const rig = await Rig.start({ minFreeMb: 2 }, { storage: new MemoryStorage({ capacityBytes: 1_000_000 }) })
    expect(rig.recorder.isDiskLow).toBe(true)
    const stream = rig.publish()
    write(stream, new Source().av(0, 2000))
    const [recording] = rig.recorder.recordings
    expect(recording.interruption?.code).toBe('TD_DISK_LOW')
    await rig.finish(stream)
    expect(recording.state).toBe('failed')
    expect(recording.report().error?.code).toBe('TD_DISK_LOW')
    expect(rig.storage.usedBytes).toBe(0)
    await rig.recorder.stop({ deadlineMs: 1000 })
  })
})

describe('a disk that blocks', () => {
  it('costs nothing while the queue holds', async () => {
    const rig = await Rig.start()
    const source = new Source(20_000)
    const stream = rig.publish()
    write(stream, source.av(0, 1000))
    await rig.line(/^recording$/)
    rig.storage.stalled = true
    write(stream, source.av(1000, 11_000)) // 15 MB
    const [recording] = rig.recorder.recordings
    expect(recording.stats().queuedFrames).toBeGreaterThan(0)
    expect(stream.congested).toBe(true)
    rig.storage.stalled = false
    await rig.finish(stream)
    const content = await rig.read('/rec/live_test.mp4')
    expect(serials(content)).toEqual(upTo(source.count))
    expect(recording.report().droppedFrames).toBe(0)
    expect(rig.lines.filter(({ level }) => level === 'warn' || level === 'error')).toEqual([])
    await rig.recorder.stop({ deadlineMs: 1000 })
  })

  it('costs whole groups of pictures at the bound, counted and said once, and memory stays bounded', async () => {
    const rig = await Rig.start({ maxBacklogMb: 2 })
    const source = new Source(20_000)
    const stream = rig.publish()
    write(stream, source.av(0, 1000))
    await rig.line(/^recording$/)
    rig.storage.stalled = true
    const [recording] = rig.recorder.recordings
    for (let ms = 1000; ms < 40_000; ms += 1000) {
      write(stream, source.av(ms, ms + 1000))
      expect(recording.stats().queuedBytes).toBeLessThanOrEqual(2_020_000)
    }
    rig.storage.stalled = false
    await rig.line(/keeps up again/)
    await rig.finish(stream)
    const report = recording.report()
    expect(report.droppedFrames).toBeGreaterThan(500)
    expect(report.gaps.count).toBeGreaterThanOrEqual(2)
    expect(rig.lines.filter(({ message }) => /does not keep up/.test(message))).toHaveLength(1)
    const { samples } = await rig.read('/rec/live_test.mp4')
    expect(samples.length).toBe(source.count - report.droppedFrames)
    // after every hole the picture begins with a keyframe
    const video = samples.filter(({ kind }) => kind === 'video')
    for (const [i, sample] of video.entries()) {
      if (i > 0 && sample.dtsMs - video[i - 1].dtsMs > 100) expect(sample.key).toBe(true)
    }
    await rig.recorder.stop({ deadlineMs: 1000 })
  })

  it('does not hold up the end: what is not done at the deadline is left to the next start', async () => {
    const rig = await Rig.start()
    const source = new Source()
    const stream = rig.publish()
    write(stream, source.av(0, 3000))
    await rig.line(/^recording$/)
    write(stream, source.av(3000, 4000))
    rig.storage.stalled = true
    const before = performance.now()
    await rig.recorder.stop({ deadlineMs: 200 })
    expect(performance.now() - before).toBeLessThan(1000)
    expect(rig.journal.list()).toHaveLength(1)
    expect(() => rig.recorder.record(stream)).toThrow('it was stopped')

    rig.storage.stalled = false
    const next = await Rig.start({}, rig)
    await next.recorder.recovered()
    expect(next.recorder.recovery).toMatchObject({ isRunning: false, found: 1, repaired: 1, failed: 0 })
    expect(next.journal.list()).toEqual([])
    expect(next.audits.map(({ event }) => event)).toEqual(['repaired'])
    const content = await next.read('/rec/live_test.mp4')
    expect(content.finalised).toBe(true)
    expect(content.samples.length).toBeGreaterThan(100)
    await next.recorder.stop({ deadlineMs: 1000 })
  })
})

describe('a file', () => {
  it('that is renamed while it is written is whole, and a new one is begun', async () => {
    const rig = await Rig.start()
    const source = new Source()
    const stream = rig.publish()
    write(stream, source.av(0, 1000))
    await rig.line(/^recording$/)
    await rig.storage.rename('/rec/live_test.mp4', '/elsewhere.mp4')
    await rig.line(/moved or deleted/)
    write(stream, source.av(1000, 3000))
    await rig.finish(stream)
    const contents = [await rig.read('/elsewhere.mp4'), await rig.read('/rec/live_test_part2.mp4')]
    expect(serials(...contents)).toEqual(upTo(source.count))
    expect(rig.audits.map(({ event }) => event)).toEqual(['created', 'rotated', 'failed', 'finalised'])
    await rig.recorder.stop({ deadlineMs: 1000 })
  })

  it('is written out within a second although media stalls', async () => {
    const rig = await Rig.start()
    const source = new Source()
    const stream = rig.publish()
    stream.track(h264)
    stream.track(aac)
    write(stream, [source.frame(h264, 0, { key: true }), source.frame(aac, 0), source.frame(h264, 40)])
    await rig.line(/^recording$/)
    const deadline = performance.now() + 1500
    let found = 0
    while (found < 3 && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 50))
      found = (await rig.read('/rec/live_test.mp4').catch(() => ({ samples: [] }))).samples.length
    }
    expect(found).toBe(3)
    stream.end('lost')
    await rig.recorder.stop({ deadlineMs: 1000 })
  })
})

describe('media that a container cannot describe', () => {
  it.each(['mp4', 'flv', 'mkv'] as const)('costs %s what lies between, never the stream', async (format) => {
    const rig = await Rig.start({ format })
    const source = new Source()
    const stream = rig.publish()
    write(stream, source.av(0, 1000))
    await rig.line(/^recording$/)
    const broken = { ...h264, epoch: 1, config: new Uint8Array([9, 9, 9]) }
    stream.track(broken)
    for (let ms = 1000; ms < 3000; ms += 1000) {
      write(stream, source.av(ms, ms + 1000, broken))
      await new Promise((resolve) => setImmediate(resolve))
    }
    const again = { ...h264, epoch: 2 }
    stream.track(again)
    expect(stream.recordingCount).toBe(1)
    const before = source.count
    for (let ms = 3000; rig.recorder.recordings[0].stats().packets < 400; ms += 1000) {
      write(stream, source.av(ms, ms + 1000, again))
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    const [recording] = rig.recorder.recordings
    await rig.finish(stream)
    const { parts, state } = recording.report()
    expect(state).toBe('completed')
    const contents = await Promise.all(parts.map(({ path }) => rig.read(path)))
    const written = serials(...contents)
    expect(written.slice(0, 75)).toEqual(upTo(75))
    expect(written.some((serial) => serial >= before)).toBe(true)
    await rig.recorder.stop({ deadlineMs: 1000 })
  })
})
