import { copyFileSync, statSync } from 'node:fs'
import { basename } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { PRESETS } from '../../src/service/quality.ts'
import { madeMedia, packetsOf, probe } from '../peers/ffmpeg.ts'
import { JobRig } from '../peers/job-rig.ts'

/** Hard to encode, as what a camera sees is: bitrates are met only where there is something to spend them on. */
const NOISE = 'noise=alls=12:allf=t'
const SOUND = '-f lavfi -i anoisesrc=d=5:a=0.3:r=48000 -ac 2 -c:a aac -b:a 256k -shortest'
const FAST = '-c:v libx264 -preset ultrafast'
const rig = new JobRig()

afterAll(() => rig.remove())

/** A source made once per machine, copied to where jobs may read it. */
async function source(name: string, args: string): Promise<string> {
  copyFileSync(await madeMedia(`jobs-${name}`, args), rig.path(name))
  return name
}

const hd = () => source('hd4.mp4', `-f lavfi -i testsrc2=s=1920x1080:r=30:d=4,${NOISE} ${SOUND} ${FAST} -b:v 12M`)

/** Of the size of `low`, for what does not depend on that. */
const sd = () => source('sd4.mp4', `-f lavfi -i testsrc2=s=854x480:r=30:d=4,${NOISE} ${SOUND} ${FAST} -b:v 4M`)

/** What a file holds, measured. */
async function measured(path: string) {
  const [{ streams, format }, packets] = [await probe(path), await packetsOf(path)]
  const of = (kind: string) => {
    const stream: Record<string, string> = streams.find(({ codec_type }) => codec_type === kind) ?? {}
    const own = packets.filter(({ type }) => type === kind)
    const times = own.map(({ pts }) => pts).sort((a, b) => a - b)
    const span = (times[times.length - 1] - times[0]) * (own.length / (own.length - 1))
    const bytes = own.reduce((sum, { size }) => sum + size, 0)
    return {
      ...stream,
      codec: stream.codec_name,
      times,
      count: own.length,
      span,
      start: times[0],
      bps: (bytes * 8) / span,
      fps: own.length / span,
    }
  }
  return { video: of('video'), audio: of('audio'), format, packets }
}

function near(actual: number, aim: number): void {
  expect(actual / aim).toBeGreaterThan(0.9)
  expect(actual / aim).toBeLessThan(1.1)
}

describe('a preset', () => {
  it.each([
    ['low', 854, 480, 24],
    ['medium', 1280, 720, 30],
    ['high', 1920, 1080, 30],
  ] as const)('%s has its size, bitrates, frame rate and codecs', async (name, width, height, fps) => {
    const { files } = await rig.rendition(await hd(), `hd-${name}.mp4`, PRESETS[name])
    const { video, audio, format } = await measured(rig.path(`hd-${name}.mp4`))
    expect(video).toMatchObject({ codec_name: 'h264', width, height, sample_aspect_ratio: '1:1', pix_fmt: 'yuv420p' })
    expect(video).toMatchObject({ avg_frame_rate: `${fps}/1`, r_frame_rate: `${fps}/1` })
    expect(audio).toMatchObject({ codec_name: 'aac', channels: 2, sample_rate: '48000' })
    near(video.bps, PRESETS[name].video_bitrate)
    near(audio.bps, PRESETS[name].audio_bitrate)
    expect(Number(format.duration)).toBeCloseTo(4, 1)
    expect(files).toMatchObject([
      {
        ...{ kind: 'rendition', source_file_id: 'source-1', participant_id: 'alice', path: `hd-${name}.mp4` },
        ...{ format: 'mp4', state: 'finalised', part: 1, offset_ms: 0, error: null },
        size_bytes: statSync(rig.path(`hd-${name}.mp4`)).size,
        tracks: [
          { kind: 'video', codec: 'h264', width, height },
          { kind: 'audio', codec: 'aac', sample_rate_hz: 48_000, channels: 2 },
        ],
      },
    ])
    expect(rig.reports.at(-1)?.percent).toBe(100)
  })

  it('ultra of a source in 4K at 60 frames', async () => {
    const args = `-f lavfi -i testsrc2=s=3840x2160:r=60:d=1,${NOISE} ${FAST} -b:v 40M`
    await rig.rendition(await source('uhd1.mp4', args), 'uhd-ultra.mp4', PRESETS.ultra)
    const { video } = await measured(rig.path('uhd-ultra.mp4'))
    expect(video).toMatchObject({ width: 3840, height: 2160, avg_frame_rate: '60/1' })
    near(video.bps, PRESETS.ultra.video_bitrate)
  })

  it('in WebM is VP9 and Opus, in MKV and FLV H.264 and AAC', async () => {
    for (const [format, codecs] of [
      ['webm', ['vp9', 'opus']],
      ['mkv', ['h264', 'aac']],
      ['flv', ['h264', 'aac']],
    ] as const) {
      await rig.rendition(await sd(), `sd.${format}`, PRESETS.low)
      const { video, audio } = await measured(rig.path(`sd.${format}`))
      expect([video.codec, audio.codec]).toEqual(codecs)
      expect(video).toMatchObject({ width: 854, height: 480 })
      near(video.bps, PRESETS.low.video_bitrate)
      near(audio.bps, PRESETS.low.audio_bitrate)
      near(video.fps, 24)
    }
  })

  it('leaves a source that is within it as it is', async () => {
    const args = `-f lavfi -i testsrc2=s=320x240:r=15:d=2 -f lavfi -i sine=d=2 ${FAST} -b:v 200k -c:a aac -b:a 64k`
    const name = await source('small.mkv', args)
    await rig.rendition(name, 'small-ultra.mp4', PRESETS.ultra)
    const hashes = async (file: string, type: string) =>
      (await packetsOf(rig.path(file))).filter((packet) => packet.type === type).map(({ hash }) => hash)
    expect(await hashes('small-ultra.mp4', 'video')).toEqual(await hashes(name, 'video'))
    expect(await hashes('small-ultra.mp4', 'audio')).toEqual(await hashes(name, 'audio'))
  })

  it('never takes more than its source has', async () => {
    const args = `-f lavfi -i testsrc2=s=1920x1080:r=24:d=3,noise=alls=4:allf=t ${SOUND} -b:a 48k ${FAST} -b:v 700k -t 3`
    const name = await source('thin.mp4', args)
    const before = await measured(rig.path(name))
    await rig.rendition(name, 'thin-medium.mp4', PRESETS.medium)
    const { video, audio } = await measured(rig.path('thin-medium.mp4'))
    expect(video).toMatchObject({ width: 1280, height: 720, avg_frame_rate: '24/1' })
    expect(video.bps).toBeLessThan(before.video.bps * 1.1)
    expect(audio.bps).toBeLessThan(before.audio.bps * 1.01)
  })
})

describe('shapes', () => {
  it.each([
    ['a portrait', 'portrait', 's=720x1280', '', 480, 854, '1:1'],
    ['odd sides', 'odd', 's=641x361', '-pix_fmt yuv444p', 640, 360, '1:1'],
    ['anamorphic', 'anamorphic', 's=720x576', '-vf setsar=16/15', 600, 480, '16:15'],
    ['wide', 'wide', 's=1280x320', '', 854, 214, '1:1'],
  ])('%s keeps its own', async (_, name, size, more, width, height, aspect) => {
    const made = await source(`${name}.mkv`, `-f lavfi -i testsrc2=${size}:r=25:d=1 ${more} ${FAST}`)
    await rig.rendition(made, `${name}.mp4`, PRESETS.low)
    expect((await measured(rig.path(`${name}.mp4`))).video).toMatchObject({
      ...{ width, height },
      sample_aspect_ratio: aspect,
      pix_fmt: 'yuv420p',
    })
  })

  it('what is shown turned is upright afterwards', async () => {
    const flat = await madeMedia('jobs-flat.mp4', `-f lavfi -i testsrc2=s=1280x720:r=25:d=1 ${FAST}`)
    const turned = await source('turned.mp4', `-i ${flat} -c copy -metadata:s:v:0 rotate=90`)
    await rig.rendition(turned, 'upright.mp4', PRESETS.low)
    expect((await measured(rig.path('upright.mp4'))).video).toMatchObject({ width: 480, height: 854 })
    expect(JSON.stringify(await probe(rig.path('upright.mp4')))).not.toContain('rotation')
  })

  it('colours keep their meaning', async () => {
    const colors = '-colorspace bt709 -color_primaries bt709 -color_trc bt709 -color_range tv'
    const made = await source('bt709.mp4', `-f lavfi -i testsrc2=s=1280x720:r=25:d=1 ${FAST} ${colors}`)
    for (const output of ['bt709-low.mp4', 'bt709-low.webm']) {
      await rig.rendition(made, output, PRESETS.low)
      expect((await measured(rig.path(output))).video).toMatchObject({ color_space: 'bt709', color_range: 'tv' })
    }
  })
})

describe('time', () => {
  it('50 frames per second become 24, or 30', async () => {
    const made = await source('fifty.mp4', `-f lavfi -i testsrc2=s=640x360:r=50:d=2 ${FAST}`)
    for (const fps of [24, 30]) {
      await rig.rendition(made, `fps-${fps}.mp4`, { fps })
      expect((await measured(rig.path(`fps-${fps}.mp4`))).video).toMatchObject({ avg_frame_rate: `${fps}/1` })
    }
  })

  it('frames that come as they like keep their times; too many of them are thinned, none is made up', async () => {
    const select = "select='not(mod(n,4))+gt(mod(n,60),45)'"
    const input = `-f lavfi -i testsrc2=s=320x240:r=60:d=3,${NOISE} -vf ${select}`
    const made = await source('vfr.mkv', `${input} -fps_mode passthrough ${FAST} -b:v 2M`)
    const before = (await measured(rig.path(made))).video
    await rig.rendition(made, 'vfr.mp4', { video_bitrate: 500_000 })
    const after = (await measured(rig.path('vfr.mp4'))).video
    expect(after.times.length).toBe(before.times.length)
    for (const [i, time] of after.times.entries()) expect(Math.abs(time - before.times[i])).toBeLessThan(0.001)

    await rig.rendition(made, 'vfr-10.mp4', { fps: 10 })
    const thinned = (await measured(rig.path('vfr-10.mp4'))).video
    expect(thinned.count).toBe(30)
    for (const time of thinned.times) expect(before.times.some((other) => Math.abs(other - time) < 0.001)).toBe(true)
  })

  it.each(['mp4', 'mkv', 'flv'] as const)('a track that begins later still does (%s)', async (format) => {
    const args = `-f lavfi -i sine=d=3 -f lavfi -i testsrc2=s=640x360:r=25:d=2,${NOISE} -map 1 -map 0`
    const made = await source('later.mp4', `${args} -vf setpts=PTS+0.8/TB -fps_mode passthrough ${FAST} -c:a aac`)
    const { files } = await rig.rendition(made, `late.${format}`, { video_bitrate: 300_000 })
    const offset = (files[0]?.offset_ms ?? Number.NaN) / 1000
    const { video } = await measured(rig.path(`late.${format}`))
    expect(video.start + offset).toBeCloseTo(0.8, 2)
    expect(Math.abs(offset)).toBeLessThan(0.1)
  })
})

describe('tracks', () => {
  it('sound alone, pictures alone, and several of each', async () => {
    const audio = await source('sound.mp4', '-f lavfi -i anoisesrc=d=2:a=0.3 -c:a aac -b:a 192k')
    await rig.rendition(audio, 'sound-low.mp4', PRESETS.low)
    const sound = await measured(rig.path('sound-low.mp4'))
    near(sound.audio.bps, 96_000)
    expect(sound.video.count).toBe(0)
    await rig.remux(audio, 'sound.webm')
    expect((await probe(rig.path('sound.webm'))).streams).toMatchObject([{ codec_name: 'opus' }])

    const picture = await source('picture.mp4', `-f lavfi -i testsrc2=s=640x360:r=25:d=1 ${FAST}`)
    await rig.rendition(picture, 'picture.webm', { source_percent: 50 })
    expect((await probe(rig.path('picture.webm'))).streams).toMatchObject([{ codec_name: 'vp9' }])

    const two = '-f lavfi -i testsrc2=s=640x360:r=25:d=1 -f lavfi -i testsrc=s=1280x720:r=10:d=1'
    const maps = '-map 0 -map 1 -map 2 -map 3'
    const noises = '-f lavfi -i anoisesrc=d=1 -f lavfi -i sine=d=1'
    const many = await source('many.mkv', `${two} ${noises} ${maps} ${FAST} -c:a aac`)
    await rig.rendition(many, 'many.mp4', { ...PRESETS.low, video_bitrate: 100_000 })
    const sizes = (await probe(rig.path('many.mp4'))).streams.map(({ width, codec_type }) => width ?? codec_type)
    expect(sizes).toEqual([640, 854, 'audio', 'audio'])
    await rig.remux(many, 'many.flv')
    expect((await probe(rig.path('many.flv'))).streams.map(({ codec_type }) => codec_type).sort()).toEqual([
      'audio',
      'video',
    ])
  })

  it('a share of the bitrate of the source is that', async () => {
    const name = await sd()
    const before = await measured(rig.path(name))
    await rig.rendition(name, 'half.mp4', { source_percent: 50, audio_bitrate: 64_000 })
    const { video, audio } = await measured(rig.path('half.mp4'))
    expect(video).toMatchObject({ width: 854, height: 480 })
    near(video.bps, before.video.bps / 2)
    near(audio.bps, 64_000)
  })
})

describe('a remux', () => {
  it('keeps every packet where the container holds the codec', async () => {
    const made = await source(
      'remux.mkv',
      `-f lavfi -i testsrc2=s=640x360:r=30:d=2 ${SOUND} -t 2 -c:v libx264 -preset veryfast -bf 2`,
    )
    for (const format of ['mp4', 'flv', 'mkv']) {
      const output = format === 'mkv' ? 'again.mkv' : `remux.${format}`
      const { files } = await rig.remux(made, output)
      expect(files).toMatchObject([{ kind: 'remux', format, file_name: basename(output) }])
      const [before, after] = [await packetsOf(rig.path(made)), await packetsOf(rig.path(output))]
      for (const type of ['video', 'audio']) {
        const hashes = (all: typeof before) => all.filter((packet) => packet.type === type).map(({ hash }) => hash)
        expect(hashes(after)).toEqual(hashes(before))
      }
    }
  })

  it('transcodes what it does not hold, at about the bitrate of the source', async () => {
    const args = `-f lavfi -i testsrc2=s=640x360:r=30:d=3,${NOISE} ${SOUND} -t 3 ${FAST} -b:v 2M`
    const made = await source('for-webm.mp4', args)
    const before = await measured(rig.path(made))
    await rig.remux(made, 'from-mp4.webm')
    const { video, audio } = await measured(rig.path('from-mp4.webm'))
    expect([video.codec, audio.codec]).toEqual(['vp9', 'opus'])
    near(video.bps, before.video.bps)
    expect(audio.bps / before.audio.bps).toBeGreaterThan(0.8)
    expect(audio.bps / before.audio.bps).toBeLessThan(1.05)
  })
})
