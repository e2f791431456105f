import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { LiveStream } from '../../src/live/stream.ts'
import type { AudioTrack, Track, VideoTrack } from '../../src/media/track.ts'
import type { RecordOptions } from '../../src/recorder/recorder.ts'
import type { Recording } from '../../src/recorder/recording.ts'
import { aac, h264, h264Smaller, Rig, Source, serials, upTo, vp8, write } from './rig.ts'

const ADDRESS = { room: 'live', participant: 'test' }

/** A recorder whose wall clock goes with the media that is sent. */
class Scene {
  readonly rig: Rig
  readonly source = new Source()
  readonly recording: Recording
  nowMs = 1_000_000
  /** Where each frame belongs by the wall clock, ms from the first one. */
  readonly placesMs: number[] = []
  readonly #firstAtMs = this.nowMs

  constructor(options: RecordOptions = {}, config: ConstructorParameters<typeof Rig>[0] = {}) {
    this.rig = new Rig({ recordAll: false, ...config }, { now: () => this.nowMs })
    this.recording = this.rig.recorder.record(ADDRESS, { reconnectWindowMs: 30_000, ...options })
  }

  static async start(...args: ConstructorParameters<typeof Scene>): Promise<Scene> {
    const scene = new Scene(...args)
    await scene.rig.recorder.start()
    return scene
  }

  /** `ms` of picture and sound in real time, the source's clock beginning at `fromMs`. */
  play(
    stream: LiveStream,
    fromMs: number,
    ms: number,
    tracks: { readonly video?: Track | undefined; readonly audio?: Track | undefined } = { video: h264, audio: aac },
  ): void {
    const beganAtMs = this.nowMs
    for (let at = 0; at < ms; at += 20) {
      this.nowMs = beganAtMs + at
      this.placesMs[this.source.count] = this.nowMs - this.#firstAtMs
      const { video, audio } = tracks
      if (video !== undefined && at % 40 === 0) {
        write(stream, [this.source.frame(video, fromMs + at, { key: at % 1000 === 0 })])
        this.placesMs[this.source.count] = this.nowMs - this.#firstAtMs
      }
      if (audio !== undefined) write(stream, [this.source.frame(audio, fromMs + at)])
    }
    this.nowMs = beganAtMs + ms
  }

  async end(): Promise<void> {
    await this.recording.stop()
    await this.rig.recorder.stop({ deadlineMs: 1000 })
  }
}

/** Resolves when `storage` has a file that stops growing for want of media. */
const settled = () => new Promise((resolve) => setImmediate(resolve))

describe.each(['mp4', 'flv', 'mkv'] as const)('a participant who returns, recorded in %s', (format) => {
  it.each([
    ['at zero', 0],
    ['where it was', 8000],
    ['at the wall clock', 1_795_000_000_000],
    ['before it began', -50_000],
  ])('goes on in the same file, its clock %s: the hole is as long as it was away', async (_, fromMs) => {
    const scene = await Scene.start({ format })
    const { rig, recording, source } = scene
    const first = rig.publish()
    scene.play(first, 3000, 2000)
    first.end('lost')
    expect([recording.state, recording.isAway, recording.isAttached]).toEqual(['recording', true, false])
    scene.nowMs += 3000
    const second = rig.publish()
    expect([recording.isAway, recording.isAttached, recording.reconnects]).toEqual([false, true, 1])
    scene.play(second, fromMs, 2000)
    await scene.end()
    expect(recording.parts).toHaveLength(1)
    const content = await rig.read(recording.parts[0].path)
    expect(serials(content)).toEqual(upTo(source.count))
    for (const { serial, ptsMs } of content.samples) expect([serial, ptsMs]).toEqual([serial, scene.placesMs[serial]])
    expect([content.finalised, content.faults]).toEqual([true, []])
    const report = recording.report()
    expect(report).toMatchObject({ reconnects: 1, absences: { count: 1, listed: [{ reason: 'lost' }] } })
    expect(report).toMatchObject({ jumps: { count: 0 }, skippedFrames: 0, nudgedFrames: 0, durationMs: 6980 })
    expect(report.gaps.listed.map(({ atMs, durationMs }) => [atMs, durationMs])).toEqual([
      [1960, 3040],
      [1980, 3020],
    ])
    expect(report.parts[0].anchors).toEqual([{ fileMs: 0, recordingMs: 0 }])
    expect(rig.errors()).toEqual([])
  })

  it('at once, as in a takeover, follows what was written, picture and sound together', async () => {
    const scene = await Scene.start({ format })
    const { rig, recording, source } = scene
    const first = rig.publish()
    scene.play(first, 500_000, 1000)
    scene.nowMs -= 30 // the new one was faster than the last frames of the old one
    first.end('replaced')
    const from = source.count
    scene.play(rig.publish(), 0, 1000)
    await scene.end()
    expect(recording.parts).toHaveLength(1)
    const content = await rig.read(recording.parts[0].path)
    expect(serials(content)).toEqual(upTo(source.count))
    const { samples } = content
    const later = samples.filter(({ serial }) => serial >= from)
    const beganMs = later[0].ptsMs
    expect(beganMs).toBe(1000)
    for (const { serial, ptsMs } of later) {
      expect(ptsMs - beganMs, `frame ${serial}`).toBe(scene.placesMs[serial] - scene.placesMs[from])
    }
  })

  it('with other ids and other clocks is the same picture and the same sound', async () => {
    const scene = await Scene.start({ format })
    const { rig, recording, source } = scene
    const first = rig.publish()
    scene.play(first, 0, 1000)
    first.end('lost')
    scene.nowMs += 2000
    const second = rig.publish()
    const video: VideoTrack = { ...h264, id: 5, timescale: 90_000 }
    const audio: AudioTrack = { ...aac, id: 1, timescale: 48_000 }
    scene.play(second, 77_777, 1000, { video, audio })
    await scene.end()
    const content = await rig.read(recording.parts[0].path)
    expect(recording.parts).toHaveLength(1)
    expect(content.tracks).toHaveLength(2)
    expect(serials(content)).toEqual(upTo(source.count))
    for (const { serial, ptsMs } of content.samples) expect([serial, ptsMs]).toEqual([serial, scene.placesMs[serial]])
  })

  it('with a codec that the file cannot go on with has a part more, at its place', async () => {
    const scene = await Scene.start({ format })
    const { rig, recording, source } = scene
    const first = rig.publish()
    scene.play(first, 0, 1000)
    first.end('lost')
    scene.nowMs += 2000
    const other = rig.publish()
    scene.play(other, 0, 1000, { video: { ...vp8, epoch: 0 }, audio: { ...aac, config: Uint8Array.of(0x12, 0x10) } })
    await scene.end()
    const { parts } = recording.report()
    expect(parts.map(({ offsetMs, anchors }) => [offsetMs, anchors])).toEqual([
      [0, [{ fileMs: 0, recordingMs: 0 }]],
      [3000, [{ fileMs: 0, recordingMs: 3000 }]],
    ])
    const contents = await Promise.all(parts.map(({ path }) => rig.read(path)))
    expect(serials(...contents)).toEqual(upTo(source.count))
    expect(contents[1].samples[0].ptsMs).toBe(0)
  })

  it('with sound at first has its picture as soon as that comes', async () => {
    const scene = await Scene.start({ format })
    const { rig, recording, source } = scene
    const first = rig.publish()
    scene.play(first, 0, 1000, { audio: aac })
    first.end('lost')
    scene.nowMs += 2000
    const second = rig.publish()
    scene.play(second, 0, 1000, { audio: aac })
    scene.play(second, 1000, 1000)
    await scene.end()
    expect(recording.parts).toHaveLength(1)
    const content = await rig.read(recording.parts[0].path)
    expect(serials(content)).toEqual(upTo(source.count))
    for (const { serial, ptsMs } of content.samples) expect([serial, ptsMs]).toEqual([serial, scene.placesMs[serial]])
  })

  it('in another resolution begins with a keyframe, in the same file', async () => {
    const scene = await Scene.start({ format })
    const { rig, recording, source } = scene
    const first = rig.publish()
    scene.play(first, 0, 1000)
    first.end('lost')
    scene.nowMs += 1000
    const second = rig.publish()
    const headless = scene.source.frame(h264Smaller, 0, { key: false })
    write(second, [headless])
    scene.play(second, 40, 1000, { video: { ...h264Smaller, epoch: 0 }, audio: aac })
    await scene.end()
    const contents = await Promise.all(recording.parts.map(({ path }) => rig.read(path)))
    expect(serials(...contents)).toEqual(upTo(source.count).filter((serial) => serial !== 75))
    expect(recording.parts).toHaveLength(1)
    expect(recording.report().skippedFrames).toBe(1)
  })

  it('whatever it does, each frame lies where the wall clock had it', async () => {
    const session = fc.record({
      fromMs: fc.oneof(fc.constant(0), fc.integer({ min: -(2 ** 32), max: 2 ** 42 })),
      playMs: fc.integer({ min: 1, max: 150 }).map((n) => n * 20),
      awayMs: fc.integer({ min: 100, max: 29_000 }),
      kinds: fc.constantFrom('av', 'a', 'v'),
      timescale: fc.constantFrom(1000, 90_000, 1_000_000),
      ids: fc.constantFrom([1, 2], [2, 1], [4, 9]),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(session, { minLength: 2, maxLength: 6 }), async (sessions) => {
        const scene = await Scene.start({ format })
        const { rig, recording, source } = scene
        for (const { fromMs, playMs, awayMs, kinds, timescale, ids } of sessions) {
          const stream = rig.publish()
          const video = kinds.includes('v') ? { ...h264, id: ids[0], timescale } : undefined
          const audio = kinds.includes('a') ? { ...aac, id: ids[1], timescale } : undefined
          scene.play(stream, fromMs, playMs, { video, audio })
          stream.end('lost')
          scene.nowMs += awayMs
        }
        await scene.end()
        expect(recording.parts).toHaveLength(1)
        const content = await rig.read(recording.parts[0].path)
        expect(serials(content)).toEqual(upTo(source.count))
        for (const { serial, ptsMs } of content.samples) {
          expect(Math.abs(ptsMs - scene.placesMs[serial]), `frame ${serial}`).toBeLessThanOrEqual(1)
        }
        expect([content.finalised, content.faults, recording.reconnects]).toEqual([true, [], sessions.length - 1])
        expect(recording.report()).toMatchObject({ jumps: { count: 0 }, skippedFrames: 0 })
        expect(rig.errors()).toEqual([])
      }),
      { numRuns: 25, seed: 20261121 },
    )
  })
})

describe('a participant who is away', () => {
  it('leaves everything on the disk', async () => {
    const scene = await Scene.start({ format: 'mp4' })
    const { rig, recording } = scene
    const stream = rig.publish()
    scene.play(stream, 0, 1310)
    await rig.line(/^recording$/)
    stream.end('lost')
    await settled()
    const torn = await rig.read(recording.parts[0].path)
    expect(torn.samples).toHaveLength(scene.source.count)
    await scene.end()
  })

  it('is waited for as long as the window, and then the recording ends as if it had ended then', async () => {
    const scene = await Scene.start({ reconnectWindowMs: 5000 })
    const { rig, recording } = scene
    const stream = rig.publish()
    scene.play(stream, 0, 1000)
    stream.end('lost')
    scene.nowMs += 5000
    expect(recording.isAway).toBe(false)
    await recording.finished
    expect(recording.report()).toMatchObject({
      state: 'completed',
      endReason: 'lost',
      reconnectWindowMs: 5000,
      reconnects: 0,
      absences: { count: 1, listed: [{ reason: 'lost' }] },
      durationMs: 980,
    })
    expect(recording.leftAtMs).toBeTypeOf('number')
    rig.publish()
    expect(recording.isAttached).toBe(false)
    await scene.end()
  })

  it('is not waited for when the server ends, nor without a window', async () => {
    const shut = await Scene.start()
    shut.play(shut.rig.publish(), 0, 1000)
    shut.rig.hub.close()
    await shut.recording.finished
    expect(shut.recording.report()).toMatchObject({ state: 'completed', endReason: 'shutdown' })
    const plain = await Scene.start({ reconnectWindowMs: 0 })
    const stream = plain.rig.publish()
    plain.play(stream, 0, 1000)
    stream.end('lost')
    await plain.recording.finished
    expect(plain.recording.report()).toMatchObject({ endReason: 'lost', absences: { count: 0 } })
  })

  it('says when it left and returned, and is told to who listens', async () => {
    const scene = await Scene.start()
    const { rig, recording } = scene
    const said: string[] = []
    rig.recorder.listen({
      left: (of, reason) => said.push(`${of.id} left ${reason} ${of.isAway}`),
      returned: (of) => said.push(`${of.id} returned ${of.isAway} ${of.reconnects}`),
    })
    expect([recording.joinedAtMs, recording.leftAtMs]).toEqual([undefined, undefined])
    const stream = rig.publish()
    scene.play(stream, 0, 1000)
    stream.end('finished')
    expect(recording.leftAtMs).toBeTypeOf('number')
    rig.publish()
    expect(recording.leftAtMs).toBeUndefined()
    expect(said).toEqual([`${recording.id} left finished true`, `${recording.id} returned false 1`])
    expect(recording.joinedAtMs).toBeTypeOf('number')
    await scene.end()
  })

  it('may be paused before it goes, while it is away, and when it returns: pauses close up, absences do not', async () => {
    const scene = await Scene.start({ format: 'mkv' })
    const { rig, recording } = scene
    const first = rig.publish()
    scene.play(first, 0, 1000) // 0 … 1000
    recording.pause()
    scene.play(first, 1000, 500)
    first.end('lost')
    scene.nowMs += 700
    recording.resume() // from here on it is a hole: 300 ms
    scene.nowMs += 300
    const second = rig.publish()
    scene.play(second, 0, 1000) // 1300 … 2300
    recording.pause()
    second.end('lost')
    scene.nowMs += 4000
    const third = rig.publish()
    scene.play(third, 0, 500)
    recording.resume()
    scene.play(third, 500, 1000, { video: h264, audio: aac }) // 2300 … 3300
    await scene.end()
    const { samples } = await rig.read(recording.parts[0].path)
    const video = samples.filter(({ kind }) => kind === 'video').map(({ ptsMs }) => ptsMs)
    expect(video).toEqual([0, 1300, 2300].flatMap((from) => upTo(25).map((i) => from + i * 40)))
    const [{ anchors }] = recording.files()
    expect(anchors).toEqual([
      { fileMs: 0, recordingMs: 0 },
      { fileMs: 1000, recordingMs: 2200 },
      { fileMs: 2300, recordingMs: 8000 },
    ])
  })

  it('cancelled meanwhile leaves nothing', async () => {
    const scene = await Scene.start({ directory: '/rec/own' })
    const stream = scene.rig.publish()
    scene.play(stream, 0, 1000)
    await scene.rig.line(/^recording$/)
    stream.end('lost')
    await scene.recording.cancel()
    expect(await scene.rig.storage.list('/', 10)).toEqual([])
    scene.rig.publish()
    expect(scene.recording.isAttached).toBe(false)
  })

  it('that was never heard fails once nobody waits any more', async () => {
    const scene = await Scene.start({ reconnectWindowMs: 1000 })
    scene.rig.publish().end('finished')
    expect([scene.recording.state, scene.recording.isAway]).toEqual(['pending', true])
    scene.nowMs += 1000
    await scene.recording.finished
    expect(scene.recording.report()).toMatchObject({ state: 'failed', error: { code: 'TD_NOTHING_RECORDED' } })
  })

  it('goes on in a new part where its file was closed for want of room', async () => {
    const scene = await Scene.start({ format: 'mp4' })
    const { rig, recording, source } = scene
    const first = rig.publish()
    scene.play(first, 0, 1000)
    await rig.line(/^recording$/)
    first.end('lost')
    recording.interrupt(new Error('full'))
    scene.nowMs += 4000
    await rig.line(/participant is away/)
    recording.tick(scene.nowMs, true)
    scene.play(rig.publish(), 0, 1000)
    await scene.end()
    const { parts } = recording.report()
    expect(parts.map(({ reason, offsetMs }) => [reason, offsetMs])).toEqual([
      ['start', 0],
      ['resume', 5000],
    ])
    const contents = await Promise.all(parts.map(({ path }) => rig.read(path)))
    expect(serials(...contents)).toEqual(upTo(source.count))
  })
})

describe('a recorder that keeps every stream', () => {
  it('keeps that of one who returns, too, beside the recording that was asked for', async () => {
    const rig = await Rig.start()
    const asked = rig.recorder.record(ADDRESS, { directory: '/rec/own', reconnectWindowMs: 30_000 })
    for (let i = 0; i < 2; i++) {
      const stream = rig.publish()
      const own = rig.recorder.recordings.filter(({ isAutomatic }) => isAutomatic)
      expect(own).toHaveLength(1)
      write(stream, new Source().av(0, 1000))
      stream.end('finished')
      await own[0].finished
    }
    await asked.stop()
    expect(rig.recorder.totals).toEqual({ started: 3, completed: 3, failed: 0, cancelled: 0 })
    const files = (await rig.storage.list('/rec', 10)).map(({ path }) => path)
    expect(files.sort()).toEqual(['/rec/live_test.mp4', '/rec/live_test_2.mp4', '/rec/own/live_test.mp4'])
  })

  it('does not begin another one for who returns to one in its directory', async () => {
    const rig = await Rig.start()
    const waiting = rig.recorder.record(ADDRESS, { reconnectWindowMs: 30_000 })
    for (let i = 0; i < 2; i++) {
      const stream = rig.publish()
      write(stream, new Source().av(0, 1000))
      stream.end('finished')
    }
    expect(rig.recorder.recordings).toEqual([waiting])
    await waiting.stop()
  })
})
