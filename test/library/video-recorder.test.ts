import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { writeAdtsHeader } from '../../src/codec/aac/adts.ts'
import { parseAudioSpecificConfig } from '../../src/codec/aac/audio-specific-config.ts'
import { avcParameterSets, parseAvcC } from '../../src/codec/h264/avcc.ts'
import { sampleToAnnexB } from '../../src/codec/nal.ts'
import { openContainer } from '../../src/container/formats.ts'
import type { Sample } from '../../src/container/reader.ts'
import { VideoRecorder } from '../../src/library/video-recorder.ts'
import { DiskStorage } from '../../src/storage/disk.ts'

const directory = mkdtempSync(join(tmpdir(), 'tapedeck-video-'))
afterAll(() => rmSync(directory, { recursive: true }))
let files = 0
const fresh = (format: string) => join(directory, `${++files}.${format}`)

const vectorSchema = z.object({
  config: z.string().transform((text) => Buffer.from(text, 'hex')),
  packets: z.array(z.object({ key: z.boolean(), data: z.string().transform((text) => Buffer.from(text, 'hex')) })),
})
function vector(name: string) {
  const path = join(import.meta.dirname, `../codec/vectors/${name}.json`)
  return vectorSchema.parse(JSON.parse(readFileSync(path, 'utf8')))
}
const h264 = vector('h264-480p')
const aac = vector('aac-stereo')
/** I P P I as start codes, parameter sets before each keyframe. */
const annexB = h264.packets.map(({ key, data }) => {
  const sets = key ? sampleToAnnexB(avcParameterSets(parseAvcC(h264.config)), 4) : new Uint8Array(0)
  return Buffer.concat([sets, sampleToAnnexB(data, 4)])
})
const adts = aac.packets.map(({ data }) =>
  Buffer.concat([writeAdtsHeader(parseAudioSpecificConfig(aac.config), data.length), data]),
)

async function read(path: string) {
  const file = await new DiskStorage().open(path)
  const reader = await openContainer(file)
  const samples: (Sample & { data: Buffer })[] = []
  for await (const sample of reader.samples()) {
    samples.push({ ...sample, data: Buffer.from(await file.read(sample.offset, sample.size)) })
  }
  await file.close()
  return {
    reader,
    video: samples.filter(({ track }) => track.kind === 'video'),
    audio: samples.filter(({ track }) => track.kind === 'audio'),
  }
}

describe.each(['mp4', 'flv', 'mkv'])('VideoRecorder to %s', (format) => {
  it('takes Annex B and ADTS: configuration from the media itself, a common zero', async () => {
    const path = fresh(format)
    const recorder = await VideoRecorder.open(path, { video: { codec: 'h264' }, audio: { codec: 'aac' }, title: 'T' })
    expect(recorder.writeAudio(adts[0], { ptsMs: 90_000 })).toBe(false)
    expect(recorder.writeFrame(annexB[1], { ptsMs: 100_000 })).toBe(false)
    annexB.forEach((data, i) => {
      const scratch = Buffer.from(data)
      expect(recorder.writeFrame(scratch, { ptsMs: 100_040 + 40 * i })).toBe(true)
      scratch.fill(0xff) // ours again as soon as the call is over
    })
    expect(recorder.writeAudio(Buffer.concat(adts.slice(1, 3)), { ptsMs: 100_050 })).toBe(true)
    const stats = await recorder.finalize()
    expect(stats).toMatchObject({ format, videoFrames: 4, audioFrames: 2, skippedFrames: 2, jumps: 0 })
    expect(stats.sizeBytes).toBe(statSync(path).size)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    const { reader, video, audio } = await read(path)
    expect(reader).toMatchObject({ finalised: true, format })
    expect(reader.tracks).toMatchObject([
      { codec: 'h264', width: 854, height: 480 },
      { codec: 'aac', channels: 2 },
    ])
    const at = (sample: Sample) => Math.round((sample.pts * 1000) / sample.track.timescale)
    expect(video.map(at)).toEqual([0, 40, 80, 120])
    expect(audio.map(at)[0]).toBe(10)
    expect(video.map(({ key }) => key)).toEqual(h264.packets.map(({ key }) => key))
    expect(video.map(({ data }) => data.equals(h264.packets[video.findIndex((v) => v.data === data)].data))).toEqual([
      true,
      true,
      true,
      true,
    ])
    expect(audio.map(({ data }) => data)).toEqual([aac.packets[1].data, aac.packets[2].data])
  })
})

describe('VideoRecorder', () => {
  it('takes length-prefixed H.264 with its configuration', async () => {
    const path = fresh('mp4')
    const recorder = await VideoRecorder.open(path, {
      video: { codec: 'h264', config: h264.config, timescale: 90_000 },
    })
    for (const [i, { data }] of h264.packets.entries()) {
      expect(recorder.writeFrame(data, { pts: 3000 * i, dts: 3000 * i })).toBe(true)
    }
    await recorder.finalize()
    const { video } = await read(path)
    expect(video.map(({ data }) => data)).toEqual(h264.packets.map(({ data }) => data))
    expect(video.map(({ dts }) => dts)).toEqual([0, 3000, 6000, 9000])
  })

  it('sound alone begins at once', async () => {
    const path = fresh('mp4')
    const recorder = await VideoRecorder.open(path, { audio: { codec: 'aac', config: aac.config, timescale: 44_100 } })
    aac.packets.slice(0, 3).forEach(({ data }, i) => {
      recorder.writeAudio(data, { pts: 5000 + 1024 * i })
    })
    await recorder.finalize()
    expect((await read(path)).audio.map(({ pts }) => pts)).toEqual([0, 1024, 2048])
  })

  it('heals a clock that jumps back', async () => {
    const path = fresh('mp4')
    const recorder = await VideoRecorder.open(path, { video: { codec: 'h264' } })
    for (const [i, ms] of [5_000_000, 5_000_040, 0, 40].entries())
      recorder.writeFrame(annexB[i === 2 ? 0 : i], { ptsMs: ms })
    expect(await recorder.finalize()).toMatchObject({ jumps: 1, videoFrames: 4, durationMs: 120 })
  })

  it('a file with nothing in it is still a file', async () => {
    const recorder = await VideoRecorder.open(fresh('mkv'), { video: { codec: 'h264' } })
    expect(await recorder.finalize()).toMatchObject({ videoFrames: 0, durationMs: 0 })
  })

  it('says what is wrong', async () => {
    const recorder = await VideoRecorder.open(fresh('mp4'), { video: { codec: 'h264' } })
    expect(() => recorder.writeFrame(Buffer.from('what?'), { ptsMs: 0 })).toThrow('begins with no start code')
    expect(() => recorder.writeAudio(Buffer.alloc(8), { ptsMs: 0 })).toThrow('told of no audio')
    await recorder.finalize()
    expect(() => recorder.writeFrame(annexB[0], { ptsMs: 0 })).toThrow(/finalize/)
    await expect(VideoRecorder.open(fresh('avi'), { video: { codec: 'h264' } })).rejects.toMatchObject({
      code: 'TD_UNSUPPORTED',
    })
    await expect(VideoRecorder.open(fresh('mp4'), {})).rejects.toMatchObject({ code: 'TD_OPTIONS' })
    await expect(VideoRecorder.open(join(directory, '1.mp4'), { video: { codec: 'h264' } })).rejects.toMatchObject({
      code: 'TD_FILE_EXISTS',
    })
  })
})
