import { execFile } from 'node:child_process'
import { copyFileSync, mkdirSync } from 'node:fs'
import { promisify } from 'node:util'
import { afterAll, describe, expect, it } from 'vitest'
import { madeMedia, probe } from '../peers/ffmpeg.ts'
import { JobRig } from '../peers/job-rig.ts'

const run = promisify(execFile)
const rig = new JobRig()
afterAll(() => rig.remove())

/** Pictures that grow lighter by `slope` steps of luma each second, from black. */
function lightening(size: string, rate: number, seconds: number, slope: number): string {
  return `-f lavfi -i color=black:s=${size}:r=${rate}:d=${seconds},geq=lum='16+T*${slope}':cb=128:cr=128 -c:v libx264 -preset ultrafast -qp 2`
}

/** The luma, 0 for black to 219 for white, of a `crop` of a picture, on average. */
async function luma(path: string, crop = 'iw:ih:0:0'): Promise<number> {
  const filter = `crop=${crop},format=gray`
  const args = [
    '-v',
    'error',
    '-f',
    'image2',
    '-pattern_type',
    'none',
    '-i',
    path,
    '-vf',
    filter,
    '-f',
    'rawvideo',
    '-',
  ]
  const { stdout } = await run('ffmpeg', args, { encoding: 'buffer' })
  return (stdout.reduce((sum, value) => sum + value, 0) / stdout.length) * (219 / 255)
}

async function source(name: string, args: string): Promise<string> {
  copyFileSync(await madeMedia(`jobs-${name}`, args), rig.path(name))
  return name
}

describe('thumbnails', () => {
  it('show what is to be seen at 0, 25, 50, 75 and 100 %', async () => {
    const name = await source('light3.mp4', `${lightening('320x180', 25, 12, 15)} -g 50`)
    const { files } = await rig.thumbnails(name, 'light')
    const names = ['thumb_000.jpg', 'thumb_025.jpg', 'thumb_050.jpg', 'thumb_075.jpg', 'thumb_100.jpg']
    expect(files.map(({ path }) => path)).toEqual([...names, 'sprite.jpg', 'sprite.vtt'].map((file) => `light/${file}`))
    expect(files.map(({ kind }) => kind)).toEqual([...names.map(() => 'thumbnail'), 'sprite', 'vtt'])
    expect(rig.names('light')).toEqual(['sprite.jpg', 'sprite.vtt', ...names])
    for (const [i, seconds] of [0, 3, 6, 9, 11.96].entries()) {
      const path = rig.path(`light/${names[i]}`)
      expect((await probe(path)).streams).toMatchObject([{ codec_name: 'mjpeg', width: 320, height: 180 }])
      expect.soft(Math.abs((await luma(path)) - seconds * 15), path).toBeLessThan(3)
    }
  })

  it('come with a sprite sheet, whose WebVTT says which tile is when', async () => {
    const vtt = rig.text('light/sprite.vtt')
    const cues = [...vtt.matchAll(/^(\S+) --> (\S+)\nsprite\.jpg#xywh=(\d+),(\d+),(\d+),(\d+)$/gm)]
    expect(vtt.startsWith('WEBVTT\n\n')).toBe(true)
    expect(cues.map(([, from, to]) => `${from} ${to}`).slice(-2)).toEqual([
      '00:00:08.000 00:00:10.000',
      '00:00:10.000 00:00:12.000',
    ])
    for (const [i, [, , , x, y, width, height]] of cues.entries()) {
      expect([width, height]).toEqual(['160', '90'])
      expect(
        Math.abs((await luma(rig.path('light/sprite.jpg'), `${width}:${height}:${x}:${y}`)) - i * 2 * 15),
      ).toBeLessThan(3)
    }
  })

  it('of a long recording are looked for where they are', async () => {
    const name = await source('long-light2.mkv', `${lightening('160x90', 5, 400, 0.5)} -g 10`)
    mkdirSync(rig.path('100%d'))
    const { files } = await rig.thumbnails(name, '100%d/long')
    expect(files.map(({ file_name }) => file_name)).toContain('sprite.jpg')
    const cues = [...rig.text('100%d/long/sprite.vtt').matchAll(/xywh=(\d+),(\d+),(\d+),(\d+)$/gm)]
    expect(cues).toHaveLength(100)
    for (const i of [0, 1, 57, 99]) {
      const [, x, y, width, height] = cues[i]
      const seen = await luma(rig.path('100%d/long/sprite.jpg'), `${width}:${height}:${x}:${y}`)
      expect(Math.abs(seen - i * 4 * 0.5)).toBeLessThan(4)
    }
    expect(Math.abs((await luma(rig.path('100%d/long/thumb_075.jpg'))) - 150)).toBeLessThan(3)
    expect(rig.reports.at(-1)?.percent).toBeGreaterThan(99)
  })

  it('keep the shape of what is shown, and are never wider than it', async () => {
    const anamorphic = await source(
      'wide-pixels.mkv',
      '-f lavfi -i testsrc2=s=720x576:r=5:d=1 -vf setsar=16/15 -c:v libx264',
    )
    await rig.thumbnails(anamorphic, 'a')
    expect((await probe(rig.path('a/thumb_100.jpg'))).streams).toMatchObject([{ width: 320, height: 240 }])
    const tall = await source('tall.mkv', '-f lavfi -i testsrc2=s=90x160:r=5:d=1 -c:v libx264')
    await rig.thumbnails(tall, 'b')
    expect((await probe(rig.path('b/thumb_000.jpg'))).streams).toMatchObject([{ width: 90, height: 160 }])
  })

  it('of one frame there are five; of sound alone none', async () => {
    const one = await source('one.mp4', '-f lavfi -i testsrc2=s=320x240:r=25 -frames:v 1 -c:v libx264')
    expect((await rig.thumbnails(one, 'one')).files).toHaveLength(7)
    const sound = await source('sine.mp4', '-f lavfi -i sine=d=1 -c:a aac')
    expect(await rig.thumbnails(sound, 'none')).toEqual({ files: [] })
  })
})
