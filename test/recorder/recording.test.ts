import { describe, expect, it } from 'vitest'
import type { Frame } from '../../src/media/frame.ts'
import type { Track } from '../../src/media/track.ts'
import { aac, h264, h264Smaller, Rig, Source, serials, upTo, vp8, write } from './rig.ts'

const FORMATS = ['mp4', 'flv', 'mkv'] as const

describe.each(FORMATS)('a recording in %s', (format) => {
  const path = `/rec/live_test.${format}`

  /** Records `frames` of a stream with `tracks` and reads the file back. */
  async function record(tracks: readonly Track[], make: (source: Source) => Iterable<Frame>) {
    const rig = await Rig.start({ format })
    const source = new Source()
    const stream = rig.publish()
    for (const track of tracks) stream.track(track)
    const [recording] = rig.recorder.recordings
    write(stream, make(source))
    await rig.finish(stream)
    const content = await rig.read(path)
    await rig.recorder.stop({ deadlineMs: 1000 })
    return { rig, source, recording, content }
  }

  it('holds every frame at its time, from a common zero', async () => {
    const { rig, source, recording, content } = await record([h264, aac], (frames) => frames.av(90_000, 93_000))
    expect(serials(content)).toEqual(upTo(source.count))
    const video = content.samples.filter(({ kind }) => kind === 'video')
    const audio = content.samples.filter(({ kind }) => kind === 'audio')
    expect(video.map(({ dtsMs }) => dtsMs)).toEqual(upTo(75).map((i) => i * 40))
    expect(audio.map(({ ptsMs }) => ptsMs)).toEqual(upTo(150).map((i) => i * 20 + 7))
    expect(video[0].key).toBe(true)
    expect(content.finalised).toBe(true)
    expect(content.faults).toEqual([])
    expect(recording.state).toBe('completed')
    expect(rig.journal.list()).toEqual([])
    expect(rig.errors()).toEqual([])
  })

  it('takes in a picture that comes late', async () => {
    const { source, content, recording } = await record([aac], function* (frames) {
      for (let ms = 0; ms < 5000; ms += 20) yield frames.frame(aac, ms)
      for (let ms = 5000; ms < 8000; ms += 20) {
        if (ms % 40 === 0) yield frames.frame(h264, ms, { key: ms % 1000 === 0 })
        yield frames.frame(aac, ms)
      }
    })
    expect(serials(content)).toEqual(upTo(source.count))
    expect(content.samples.find(({ kind }) => kind === 'video')?.ptsMs).toBe(5000)
    expect(recording.parts).toHaveLength(1)
  })

  it('does without a track that was announced and never comes', async () => {
    const { source, content } = await record([h264, aac], function* (frames) {
      for (let ms = 0; ms < 2000; ms += 20) yield frames.frame(aac, ms)
    })
    expect(serials(content)).toEqual(upTo(source.count))
    expect(content.tracks.map(({ kind }) => kind)).toEqual(['audio'])
  })

  it('holds picture alone', async () => {
    const { source, content } = await record([h264], function* (frames) {
      for (let i = 0; i < 50; i++) yield frames.frame(h264, i * 40, { key: i % 25 === 0, pts: i * 40 + 80 })
    })
    expect(serials(content)).toEqual(upTo(source.count))
    // Matroska keeps presentation times alone; all keep the picture's distance to the zero
    expect(content.samples[0].ptsMs).toBe(80)
  })

  it('goes on in bounded memory while one track stalls for minutes', async () => {
    const { source, content, recording } = await record([h264, aac], function* (frames) {
      yield* frames.av(0, 1000)
      for (let ms = 1000; ms < 301_000; ms += 20) yield frames.frame(aac, ms)
      yield* frames.av(301_000, 302_000)
    })
    expect(serials(content)).toEqual(upTo(source.count))
    expect(recording.report().gaps).toMatchObject({ count: 1, listed: [{ trackId: 1, durationMs: 300_040 }] })
    expect(recording.report().jumps.count).toBe(0)
    const video = content.samples.filter(({ kind }) => kind === 'video')
    expect(video.find(({ ptsMs }) => ptsMs > 1000)?.ptsMs).toBe(301_000)
  })

  it.each([
    ['set back to zero', 0],
    ['wrapped at 32 bits', 4_000_000 - 2 ** 32],
  ])('heals a clock that was %s, and says so', async (_, to) => {
    const { source, content, recording } = await record([h264, aac], function* (frames) {
      yield* frames.av(4_000_000, 4_002_000)
      yield* frames.av(to, to + 2000)
    })
    expect(serials(content)).toEqual(upTo(source.count))
    const audio = content.samples.filter(({ kind }) => kind === 'audio').map(({ ptsMs }) => ptsMs)
    expect(Math.max(...audio.slice(1).map((at, i) => at - audio[i]))).toBeLessThan(60)
    expect(recording.report().jumps.count).toBe(1)
  })

  it('pauses without a hole', async () => {
    const rig = await Rig.start({ format })
    const source = new Source()
    const stream = rig.publish()
    const [recording] = rig.recorder.recordings
    write(stream, source.av(0, 2000))
    recording.pause()
    expect(() => recording.pause()).toThrow('is paused and cannot become paused')
    const before = source.count
    write(stream, source.av(2000, 5500))
    const paused = source.count
    recording.resume()
    write(stream, source.av(5500, 7500))
    await rig.finish(stream)
    const { samples } = await rig.read(path)
    expect(samples.some(({ serial }) => serial >= before && serial < paused)).toBe(false)
    const video = samples.filter(({ kind }) => kind === 'video').map(({ ptsMs }) => ptsMs)
    expect(Math.max(...video.slice(1).map((at, i) => at - video[i]))).toBeLessThan(60)
    expect(video).toHaveLength(100)
    expect(recording.report().durationMs).toBeLessThan(4020)
  })

  it.each([
    ['duration', { maxDurationMs: 3000 }, 4],
    ['size', { maxSizeMb: 0.4 }, 3],
  ])('rotates on %s and loses nothing', async (reason, config, atLeast) => {
    const rig = await Rig.start({ format, ...config })
    const source = new Source(1000)
    const stream = rig.publish()
    const [recording] = rig.recorder.recordings
    write(stream, source.av(0, 12_000))
    await rig.finish(stream)
    const { parts } = recording.report()
    expect(parts.length).toBeGreaterThanOrEqual(atLeast)
    expect(parts.slice(1).every((part) => part.reason === reason)).toBe(true)
    expect(parts.map(({ state }) => state)).toEqual(parts.map(() => 'finalised'))
    const contents = await Promise.all(parts.map((part) => rig.read(part.path)))
    expect(serials(...contents)).toEqual(upTo(source.count))
    contents.forEach(({ samples }, i) => {
      expect(samples.find(({ kind }) => kind === 'video')).toMatchObject({ key: true, dtsMs: 0 })
      // played at its offset, each frame is where it was in the stream
      for (const { kind, serial, ptsMs } of samples) {
        const streamMs = Math.floor(serial / 3) * 40 + [0, 7, 27][serial % 3]
        expect({ kind, ms: parts[i].offsetMs + ptsMs }).toEqual({
          kind: serial % 3 === 0 ? 'video' : 'audio',
          ms: streamMs,
        })
      }
      if ('maxSizeMb' in config) expect(parts[i].sizeBytes).toBeLessThanOrEqual(400_000)
    })
    expect(parts.map(({ path: name }) => name).slice(0, 2)).toEqual([path, `/rec/live_test_part2.${format}`])
    expect(rig.audits.map(({ event }) => event).filter((event) => event === 'rotated')).toHaveLength(parts.length - 1)
  })

  it('goes on, in this file or the next, when the codec changes', async () => {
    const rig = await Rig.start({ format })
    const source = new Source()
    const stream = rig.publish()
    const [recording] = rig.recorder.recordings
    write(stream, source.av(0, 2000))
    stream.track(h264Smaller)
    write(stream, source.av(2000, 4000, h264Smaller))
    stream.track(vp8)
    write(stream, source.av(4000, 6000, vp8))
    await rig.finish(stream)
    const { parts } = recording.report()
    const contents = await Promise.all(parts.map((part) => rig.read(part.path)))
    expect(serials(...contents)).toEqual(upTo(source.count))
    expect(contents[contents.length - 1].tracks.map(({ codec }) => codec)).toContain('vp8')
    expect(recording.state).toBe('completed')
  })

  it('begins a new part at each change of codec when asked to', async () => {
    const rig = await Rig.start({ format, splitOnCodecChange: true })
    const source = new Source()
    const stream = rig.publish()
    const [recording] = rig.recorder.recordings
    write(stream, source.av(0, 2000))
    write(stream, source.av(2000, 4000, h264Smaller))
    await rig.finish(stream)
    const { parts } = recording.report()
    expect(parts.map(({ reason }) => reason)).toEqual(['start', 'codec-change'])
    const contents = await Promise.all(parts.map((part) => rig.read(part.path)))
    expect(serials(...contents)).toEqual(upTo(source.count))
    expect(contents[1].samples[0]).toMatchObject({ kind: 'video', key: true, dtsMs: 0 })
  })
})

describe('a recording', () => {
  it('of two pictures changes over at the keyframe of each', async () => {
    const rig = await Rig.start({ maxDurationMs: 2000 })
    const source = new Source()
    const screen = { ...h264, id: 3, label: 'screen' }
    const stream = rig.publish()
    const [recording] = rig.recorder.recordings
    for (let ms = 0; ms < 8000; ms += 40) {
      stream.write(source.frame(h264, ms, { key: ms % 1000 === 0 }))
      stream.write(source.frame(screen, ms + 5, { key: ms % 1600 === 0 }))
      stream.write(source.frame(aac, ms + 7))
    }
    await rig.finish(stream)
    const { parts } = recording.report()
    expect(parts.length).toBeGreaterThanOrEqual(3)
    const contents = await Promise.all(parts.map(({ path }) => rig.read(path)))
    expect(serials(...contents)).toEqual(upTo(source.count))
  })

  it('loses nothing when the sound changes its codec in the middle of a group of pictures', async () => {
    const rig = await Rig.start({ format: 'mp4' })
    const source = new Source()
    const stream = rig.publish()
    const [recording] = rig.recorder.recordings
    const mp3: Track = { ...aac, epoch: 1, codec: 'mp3', config: new Uint8Array() }
    for (let ms = 0; ms < 6000; ms += 20) {
      if (ms % 40 === 0) stream.write(source.frame(h264, ms, { key: ms % 1000 === 0 }))
      stream.write(source.frame(ms < 3500 ? aac : mp3, ms + 7))
    }
    await rig.finish(stream)
    const { parts } = recording.report()
    expect(parts).toHaveLength(2)
    const contents = await Promise.all(parts.map(({ path }) => rig.read(path)))
    expect(serials(...contents)).toEqual(upTo(source.count))
    expect(contents[0].samples.filter(({ kind }) => kind === 'video')).toHaveLength(100) // up to the keyframe at 4 s
  })

  it('of what the asked container cannot hold goes into one that can', async () => {
    const rig = await Rig.start({ format: 'flv', trackWaitMs: 1000 })
    const pcm: Track = { ...aac, codec: 'pcm-s16le', config: new Uint8Array() }
    const stream = rig.publish()
    const source = new Source()
    write(stream, source.av(0, 1000, h264, pcm))
    await rig.finish(stream)
    const content = await rig.read('/rec/live_test.mkv')
    expect(serials(content)).toEqual(upTo(source.count))
  })

  it('joins a running stream at the keyframe that is kept', async () => {
    const rig = await Rig.start({ recordAll: false })
    const source = new Source()
    const stream = rig.publish()
    stream.track(h264)
    stream.track(aac)
    write(stream, source.av(0, 2500))
    const recording = rig.recorder.record(stream)
    write(stream, [source.frame(h264, 2520), source.frame(aac, 2527)])
    await rig.finish(stream)
    const { samples } = await rig.read('/rec/live_test.mp4')
    expect(samples.find(({ kind }) => kind === 'video')).toMatchObject({ key: true, serial: 150, dtsMs: 0 })
    expect(samples.at(-1)?.serial).toBe(source.count - 1)
    expect(recording.state).toBe('completed')
  })

  it('of an address waits for its stream', async () => {
    const rig = await Rig.start({ recordAll: false })
    const recording = rig.recorder.record({ room: 'live', participant: 'test' }, { path: '/elsewhere/my.mkv' })
    expect(recording.state).toBe('pending')
    rig.publish('somebody-else')
    const stream = rig.publish()
    write(stream, new Source().av(0, 1000))
    stream.end('finished')
    await recording.finished
    expect((await rig.read('/elsewhere/my.mkv')).format).toBe('mkv')
    expect(rig.recorder.totals).toEqual({ started: 1, completed: 1, failed: 0, cancelled: 0 })
  })

  it('never overwrites another', async () => {
    const rig = await Rig.start()
    for (let i = 0; i < 3; i++) {
      const stream = rig.publish()
      write(stream, new Source().av(0, 1000))
      await rig.finish(stream)
    }
    const files = (await rig.storage.list('/rec', 10)).map(({ path }) => path)
    expect(files.sort()).toEqual(['/rec/live_test.mp4', '/rec/live_test_2.mp4', '/rec/live_test_3.mp4'])
  })

  it('stays in its directory whatever the peer calls itself', async () => {
    const rig = await Rig.start()
    const stream = rig.publish('../../etc/passwd', '..')
    write(stream, new Source().av(0, 1000))
    await rig.finish(stream)
    const [{ path }] = await rig.storage.list('/', 10)
    expect(path).toBe('/rec/______.._etc_passwd.mp4')
  })

  it('fails, saying why, when nothing ever came', async () => {
    const rig = await Rig.start()
    const stream = rig.publish()
    stream.track(h264)
    write(stream, [new Source().frame(h264, 0, { key: false })])
    const [recording] = rig.recorder.recordings
    await rig.finish(stream)
    expect(recording.state).toBe('failed')
    expect(recording.report().error?.code).toBe('TD_NOTHING_RECORDED')
    expect(rig.storage.usedBytes).toBe(0)
  })

  it('cancelled leaves nothing', async () => {
    const rig = await Rig.start({ maxDurationMs: 1000 })
    const stream = rig.publish()
    const [recording] = rig.recorder.recordings
    write(stream, new Source().av(0, 5000))
    await rig.line(/next part/)
    await recording.cancel()
    expect(recording.state).toBe('cancelled')
    expect(await rig.storage.list('/', 10)).toEqual([])
    expect(rig.journal.list()).toEqual([])
    expect(stream.recordingCount).toBe(0)
    await expect(recording.cancel()).rejects.toThrow('cannot become cancelled')
  })

  it('reports beside its first file', async () => {
    const rig = await Rig.start({ report: true })
    const stream = rig.publish()
    const source = new Source()
    write(stream, source.av(0, 4000))
    await rig.finish(stream)
    const report = JSON.parse(Buffer.from(rig.storage.bytesOf('/rec/live_test.mp4.json')).toString())
    expect(report).toMatchObject({
      version: 1,
      room: 'live',
      participant: 'test',
      state: 'completed',
      endReason: 'finished',
      frames: 300,
      gaps: { count: 0 },
      jumps: { count: 0 },
      droppedFrames: 0,
      tracks: [
        { kind: 'video', codec: 'h264', width: 854, height: 480, frames: 100, keyframes: 4 },
        { kind: 'audio', codec: 'aac', sampleRateHz: 48_000, channels: 2, frames: 200 },
      ],
      parts: [{ path: '/rec/live_test.mp4', format: 'mp4', part: 1, offsetMs: 0, state: 'finalised', frames: 300 }],
    })
    expect(report.parts[0].sizeBytes).toBe(rig.storage.bytesOf('/rec/live_test.mp4').length)
  })
})
