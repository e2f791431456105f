import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { toMs } from '../../src/media/clock.ts'
import type { Frame } from '../../src/media/frame.ts'
import type { Replay } from '../../src/media/replay.ts'
import { mendFile } from '../../src/recorder/mending.ts'
import { MemoryStorage } from '../../src/storage/memory.ts'
import { aac, h264, Rig, Source, serials, upTo, write } from './rig.ts'

/** What comes again of `frames`, by a clock of which nobody has heard. */
function replayOf(frames: readonly Frame[], clockMs = 77_777): Replay {
  return frames.map(({ track, pts, data }) => ({
    kind: track.kind,
    ms: toMs(pts, track.timescale) + clockMs,
    sizeBytes: data.length,
    sha1: createHash('sha1').update(data).digest('base64'),
  }))
}

/** A file as a killed process leaves it, in the middle of a stream of six seconds, and the frames of that. */
async function killed(format: 'mp4' | 'mkv' | 'flv', source = new Source(200)) {
  const storage = new MemoryStorage()
  const rig = await Rig.start({ format }, { storage })
  const frames = [...source.av(0, 6000)]
  const stream = rig.publish()
  write(stream, frames)
  await rig.line(/^recording$/)
  for (const recording of rig.recorder.recordings) recording.tick(performance.now() + 1000, true)
  const path = `/rec/live_test.${format}`
  const left = storage.bytesOf(path).slice()
  await rig.finish(stream)
  await rig.recorder.stop({ deadlineMs: 1000 })
  storage.put(path, left)
  const all = (await rig.read(path)).samples.length
  expect(all).toBeGreaterThan(400)
  return { storage, path, frames, all, read: () => rig.read(path) }
}

/** Where the keyframe at `ms` stands. */
const keyAt = (frames: readonly Frame[], ms: number) =>
  frames.findIndex(({ track, dts }) => track === h264 && dts === ms)

describe.each(['mp4', 'mkv'] as const)('the seam of a torn %s', (format) => {
  it('leaves out what comes again, of picture and sound, and nothing else; also when it is mended twice', async () => {
    const { storage, path, frames, all, read } = await killed(format)
    const from = keyAt(frames, 4000)
    const replays = [replayOf(frames.slice(from))]
    expect(await mendFile(storage, path, { replays })).toMatchObject({ frames: from, replayed: all - from })
    const content = await read()
    expect(serials(content)).toEqual(upTo(from))
    expect(content).toMatchObject({ finalised: true, faults: [] })
    expect(await mendFile(storage, path, { replays })).toMatchObject({ frames: from, replayed: 0, changed: false })
  })

  it('is of all its tracks, of several sources', async () => {
    const { storage, path, frames, read } = await killed(format)
    const pictures = frames.filter(({ track, dts }) => track === h264 && dts >= 4000)
    const sounds = frames.filter(({ track, dts }) => track === aac && dts >= 5000)
    const replays = [replayOf(pictures, -5), replayOf(sounds, 4000)]
    await mendFile(storage, path, { replays })
    const { samples } = await read()
    const end = (kind: string) =>
      Math.max(...samples.filter((sample) => sample.kind === kind).map((each) => each.dtsMs))
    expect([end('video'), end('audio')]).toEqual([3960, 4987])
  })

  it('takes a file away of which everything comes again', async () => {
    const { storage, path, frames, all } = await killed(format)
    const replays = [replayOf(frames)]
    expect(await mendFile(storage, path, { replays })).toMatchObject({ removed: true, replayed: all })
    expect(await storage.list('/rec', 9)).toEqual([])
  })

  it.each<[string, (frames: readonly Frame[]) => readonly Frame[]]>([
    ['other media', () => [...new Source(201).av(4000, 6000)]],
    ['frames that stop before the file does', (frames) => frames.slice(300, 320)],
    ['nothing', () => []],
  ])('is nowhere where %s comes', async (_, change) => {
    const { storage, path, frames, all, read } = await killed(format)
    const report = await mendFile(storage, path, { replays: [replayOf(change(frames))] })
    expect(report).toMatchObject({ frames: all, replayed: 0 })
    expect((await read()).samples).toHaveLength(all)
  })

  it('is found among sounds that are all alike by the picture, and left alone without one', async () => {
    const source = new Source(200)
    const silence = source.frame(aac, 0).data
    const alike = function* () {
      for (const frame of source.av(0, 6000)) {
        if (frame.track === aac) frame.data.set(silence)
        yield frame
      }
    }
    const { storage, path, frames, read } = await killed(format, Object.assign(new Source(200), { av: alike }))
    const from = keyAt(frames, 4000)
    const torn = storage.bytesOf(path).slice()
    await mendFile(storage, path, { replays: [replayOf(frames.slice(from).filter(({ track }) => track === aac))] })
    const whole = (await read()).samples.length
    storage.put(path, torn)
    expect(await mendFile(storage, path, { replays: [replayOf(frames.slice(from))] })).toMatchObject({ frames: from })
    expect(whole).toBeGreaterThan(from)
  })
})

it('is not looked for in formats that cannot be bounded', async () => {
  const { storage, path, frames, all } = await killed('flv')
  const replays = [replayOf(frames.slice(300))]
  expect(await mendFile(storage, path, { replays })).toMatchObject({ frames: all, replayed: 0 })
})
