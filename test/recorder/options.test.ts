import { describe, expect, it } from 'vitest'
import { mendFile } from '../../src/recorder/mending.ts'
import { aac, h264, Rig, Source, serials, upTo, vp8, write } from './rig.ts'

const ADDRESS = { room: 'live', participant: 'test' }
const picture = { ...vp8, epoch: 0 }
/** RFC 7845 §5.1, stereo, no pre-skip. */
const OPUS_HEAD = Uint8Array.of(0x4f, 0x70, 0x75, 0x73, 0x48, 0x65, 0x61, 0x64, 1, 2, 0, 0, 0x80, 0xbb, 0, 0, 0, 0, 0)
const opus = { ...aac, codec: 'opus', config: OPUS_HEAD } as const

async function recorded(options: Parameters<Rig['recorder']['record']>[1], tracks = [h264, aac] as const) {
  const rig = await Rig.start({ recordAll: false, trackWaitMs: 500 })
  const recording = rig.recorder.record(ADDRESS, options)
  const source = new Source()
  const stream = rig.publish()
  for (const track of tracks) stream.track(track)
  write(stream, source.av(0, 3000, ...tracks))
  await rig.finish(stream)
  return { rig, recording, source }
}

describe('a recording that says for itself', () => {
  it('which directory, with the names of the template', async () => {
    const { rig, recording } = await recorded({ directory: '/rec/room_1/' })
    expect(recording.parts.map(({ path }) => path)).toEqual(['/rec/room_1/live_test.mp4'])
    expect([recording.isElsewhere, recording.isApart]).toEqual([false, true])
    const elsewhere = rig.recorder.record(ADDRESS, { directory: '/recordings' })
    expect([elsewhere.isElsewhere, elsewhere.isApart]).toEqual([true, true])
    await elsewhere.cancel()
  })

  it.each([
    ['duration', { partDurationMs: 1000 }],
    ['size', { partSizeBytes: 20_000 }],
  ])('when a new part begins, by %s', async (reason, options) => {
    const { recording } = await recorded(options)
    const [first, second] = recording.files()
    expect([first.reason, second.reason]).toEqual(['start', reason])
  })

  it('where its files lie on a clock of others', async () => {
    let nowMs = 50_000
    const rig = new Rig({ recordAll: false }, { now: () => nowMs })
    await rig.recorder.start()
    const recording = rig.recorder.record(ADDRESS, { zeroAtMs: 45_000, partDurationMs: 1000 })
    const stream = rig.publish()
    const source = new Source()
    for (const frame of source.av(700, 3700)) {
      nowMs = 50_000 + frame.dts - 700
      write(stream, [frame])
    }
    await rig.finish(stream)
    expect(recording.files().map(({ offsetMs }) => offsetMs)).toEqual([5000, 6000, 7000])
    expect(recording.frontMs).toBe(2987)
  })

  it('and joins in the middle: what the GOP cache had lies in the past', async () => {
    let nowMs = 50_000
    const rig = new Rig({ recordAll: false }, { now: () => nowMs })
    await rig.recorder.start()
    const stream = rig.publish()
    Object.defineProperty(stream, 'startedAtMs', { value: Date.now() - 60_000 })
    for (const track of [h264, aac]) stream.track(track)
    const source = new Source()
    for (const frame of source.av(0, 1500)) write(stream, [frame])
    const recording = rig.recorder.record(stream, { zeroAtMs: nowMs })
    for (let ms = 1520; ms < 2000; ms += 40) {
      nowMs = 50_000 + ms - 1487
      write(stream, [source.frame(h264, ms)])
    }
    await rig.finish(stream)
    const [{ offsetMs, path }] = recording.files()
    expect(offsetMs).toBe(-487)
    expect((await rig.read(path)).samples[0]).toMatchObject({ key: true, serial: 75 })
  })

  it('paused before anything has come, takes nothing until it is resumed', async () => {
    const rig = await Rig.start({ recordAll: false })
    const recording = rig.recorder.record(ADDRESS)
    recording.pause()
    const stream = rig.publish()
    const source = new Source()
    write(stream, source.av(0, 1000))
    expect(recording.state).toBe('pending')
    expect(() => recording.pause()).toThrow('is pending and cannot become paused')
    recording.resume()
    expect(() => recording.resume()).toThrow('is pending and cannot become recording')
    const from = source.count
    write(stream, source.av(1000, 2000))
    expect(recording.state).toBe('recording')
    await rig.finish(stream)
    expect(serials(await rig.read(recording.parts[0].path))).toEqual(upTo(source.count).slice(from))
  })
})

describe('formats', () => {
  it.each([
    ['webm', [picture, opus], 'webm', 'webm'],
    ['auto', [picture, opus], 'webm', 'webm'],
    ['auto', [h264, aac], 'mp4', 'mp4'],
    ['auto', [picture, aac], 'mkv', 'mkv'],
    ['webm', [h264, opus], 'mkv', 'mkv'],
  ] as const)('%s for %j is %s', async (asked, [video, audio], format, extension) => {
    const rig = await Rig.start({ recordAll: false, trackWaitMs: 500 })
    const recording = rig.recorder.record(ADDRESS, { format: asked })
    const stream = rig.publish()
    for (const track of [video, audio]) stream.track(track)
    const source = new Source()
    write(stream, source.av(0, 2000, video, audio))
    await rig.finish(stream)
    const path = `/rec/live_test.${extension}`
    const content = await rig.read(path)
    expect([content.format, content.finalised, content.faults]).toEqual([format, true, []])
    expect(serials(content)).toEqual(upTo(source.count))
    expect([recording.askedFormat, recording.format]).toEqual([asked, format])
    expect(recording.files()).toMatchObject([
      {
        askedFormat: asked,
        format,
        tracks: [
          { kind: 'video', codec: video.codec, width: 854, height: 480 },
          { kind: 'audio', codec: audio.codec, sampleRateHz: 48_000, channels: 2 },
        ],
      },
    ])
  })

  it('auto leaves WebM for what that does not hold, and stays with what it has chosen otherwise', async () => {
    const rig = await Rig.start({ recordAll: false, format: 'auto', trackWaitMs: 500 })
    const recording = rig.recorder.record(ADDRESS)
    const stream = rig.publish()
    const source = new Source()
    write(stream, source.av(0, 1000, picture, opus))
    write(stream, source.av(1000, 2000, { ...h264, epoch: 1 }, opus))
    await rig.finish(stream)
    expect(recording.files().map(({ format }) => format)).toEqual(['webm', 'mp4'])
    expect(serials(...(await Promise.all(recording.parts.map(({ path }) => rig.read(path)))))).toEqual(
      upTo(source.count),
    )
  })

  it('a torn WebM is mended and stays one', async () => {
    const rig = await Rig.start({ recordAll: false, format: 'webm' })
    rig.recorder.record(ADDRESS)
    const stream = rig.publish()
    const source = new Source()
    write(stream, source.av(0, 2000, picture, opus))
    await rig.line(/^recording$/)
    const torn = rig.storage.bytesOf('/rec/live_test.webm')
    rig.storage.put('/torn', torn.subarray(0, torn.length - 10))
    expect(await mendFile(rig.storage, '/torn')).toMatchObject({ changed: true, frames: source.count - 1 })
    expect(await rig.read('/torn')).toMatchObject({ format: 'webm', finalised: true })
    await rig.finish(stream)
  })
})

describe('removing what was recorded', () => {
  it('takes the report along, once it is over', async () => {
    const rig = await Rig.start({ report: true, maxDurationMs: 1000 })
    const stream = rig.publish()
    const [recording] = rig.recorder.recordings
    write(stream, new Source().av(0, 3000))
    await expect(recording.removeFiles()).rejects.toMatchObject({ code: 'TD_MISUSE' })
    stream.end('finished')
    await recording.finished
    expect(await rig.storage.list('/', 10)).toHaveLength(4)
    await recording.removeFiles()
    expect(await rig.storage.list('/', 10)).toEqual([])
    expect(recording.files().map(({ state }) => state)).toEqual(['removed', 'removed', 'removed'])
    await recording.removeFiles()
    expect(rig.errors()).toEqual([])
  })
})
