import { copyFileSync } from 'node:fs'
import { basename, dirname, relative } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { PRESETS } from '../../src/service/quality.ts'
import { madeMedia, packetsOf, probe, publish } from '../peers/ffmpeg.ts'
import { JobRig } from '../peers/job-rig.ts'
import { recorded } from '../peers/recorded.ts'
import { scratch, TapedeckProcess } from '../peers/tapedeck.ts'

const place = scratch('jobs')
afterAll(async () => {
  await TapedeckProcess.endAll()
  place.drop()
})

const frames = async (path: string, type: string) =>
  (await packetsOf(path)).filter((packet) => packet.type === type).map(({ hash, pts }) => ({ hash, pts }))

describe('what tapedeck recorded', () => {
  it.each(['mp4', 'mkv', 'flv'] as const)('as %s becomes anything else', async (format) => {
    const source = await madeMedia(
      'jobs-sent2.flv',
      '-f lavfi -i testsrc2=s=960x540:r=30:d=2,noise=alls=6:allf=t -f lavfi -i sine=d=2 -c:v libx264 -preset veryfast -bf 2 -b:v 3M -c:a aac',
    )
    const flags = ['--record-report', '--record-format', format]
    const server = await TapedeckProcess.start(`${place.path}/${format}`, ...flags)
    await publish(source, `${server.rtmp}/live/show`).ended
    const [{ files }] = await recorded(server, 'show')
    await server.end()
    const rig = new JobRig({ directory: dirname(files[0]) })
    const name = relative(rig.directory, files[0])

    const small = await rig.rendition(name, 'small.mp4', PRESETS.low)
    expect(small.files).toMatchObject([{ offset_ms: 0, tracks: [{ width: 854, height: 480 }, { kind: 'audio' }] }])
    const { streams } = await probe(rig.path('small.mp4'))
    expect(streams[0]).toMatchObject({ avg_frame_rate: '24/1' })
    await rig.rendition(name, 'half.webm', { source_percent: 50 })

    const before = { video: await frames(files[0], 'video'), audio: await frames(files[0], 'audio') }
    for (const other of ['mp4', 'mkv', 'flv']) {
      const output = `remuxed.${other}`
      const [made] = (await rig.remux(name, output)).files
      expect(made?.file_name).toBe(basename(output))
      for (const kind of ['video', 'audio'] as const) {
        const after = await frames(rig.path(output), kind)
        expect(after.map(({ hash }) => hash)).toEqual(before[kind].map(({ hash }) => hash))
        const shift = (made?.offset_ms ?? Number.NaN) / 1000
        for (const [i, { pts }] of after.entries())
          expect(Math.abs(pts + shift - before[kind][i].pts)).toBeLessThan(0.003)
      }
    }
    expect((await rig.thumbnails(name, 'pictures')).files).toHaveLength(7)
  })

  it('with a hole in it keeps the hole', async () => {
    const hole = "'not(between(t,1,2.2))'"
    const args = `-f lavfi -i testsrc2=s=320x240:r=25:d=4 -f lavfi -i sine=d=4 -vf select=${hole} -af aselect=${hole}`
    const source = await madeMedia(
      'jobs-hole.mkv',
      `${args} -fps_mode passthrough -c:v libx264 -preset ultrafast -c:a aac`,
    )
    const rig = new JobRig({ directory: `${place.path}/hole` })
    copyFileSync(source, rig.path('hole.mkv'))
    for (const output of ['hole-made.mp4', 'hole-made.webm', 'hole-made.flv']) {
      await rig.rendition('hole.mkv', output, { video_bitrate: 100_000, audio_bitrate: 32_000 })
      for (const kind of ['video', 'audio']) {
        const times = (await frames(rig.path(output), kind)).map(({ pts }) => pts).sort((a, b) => a - b)
        const gaps = times.slice(1).map((time, i) => time - times[i])
        expect(Math.max(...gaps)).toBeGreaterThan(1.1)
        expect(Math.max(...gaps)).toBeLessThan(1.35)
      }
    }
  })
})
