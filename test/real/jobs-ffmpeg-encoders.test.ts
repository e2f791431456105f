import { execFileSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { probeFfmpeg } from '../../src/jobs/ffmpeg/facts.ts'
import { madeMedia, probe } from '../peers/ffmpeg.ts'
import { JobRig } from '../peers/job-rig.ts'

const place = mkdtempSync(join(tmpdir(), 'tapedeck-encoders-'))
afterAll(() => rmSync(place, { recursive: true, force: true }))

/** ffmpeg as another build of it would be: `script` goes first. */
function otherFfmpeg(name: string, script: string): string {
  const path = join(place, name)
  writeFileSync(path, `#!/bin/sh\n${script}\nexec ffmpeg "$@"\n`)
  writeFileSync(path.replace('ffmpeg', 'ffprobe'), '#!/bin/sh\nexec ffprobe "$@"\n')
  chmodSync(path, 0o755)
  chmodSync(path.replace('ffmpeg', 'ffprobe'), 0o755)
  return path
}

/** One that was built without these encoders. */
function without(name: string, encoders: string): string {
  return otherFfmpeg(name, `case "$*" in *-encoders*) ffmpeg "$@" | grep -vE '${encoders}'; exit;; esac`)
}

it('only encoders that encode are counted', async () => {
  const listed = execFileSync('ffmpeg', ['-hide_banner', '-encoders'], { encoding: 'utf8' })
  const facts = await probeFfmpeg('ffmpeg')
  expect(facts.encoders).toEqual(expect.arrayContaining(['libx264', 'libvpx-vp9', 'libvpx', 'aac', 'libopus']))
  expect(facts.encoders.every((name) => listed.includes(` ${name} `))).toBe(true)
  expect(execFileSync('ffmpeg', ['-version'], { encoding: 'utf8' })).toContain(`version ${facts.version} `)

  const broken = otherFfmpeg('ffmpeg-broken', 'case "$*" in *libx264*) echo "no such chip" >&2; exit 1;; esac')
  const fewer = await probeFfmpeg(broken)
  expect(fewer.encoders).toEqual(facts.encoders.filter((name) => name !== 'libx264'))
})

it('one that is too old is said to be', async () => {
  const old = otherFfmpeg('ffmpeg-old', 'case "$*" in *-version*) echo "ffmpeg version 3.4.8-0ubuntu0.2"; exit;; esac')
  await expect(probeFfmpeg(old)).rejects.toMatchObject({ code: 'TD_FFMPEG_OUTDATED', fault: 'host' })
})

it.each([
  ['ffmpeg-vp8', 'vp9', 'vp8'],
  ['ffmpeg-av1', 'vp9|libvpx', 'av1'],
])('WebM is made of what there is (%s)', async (name, missing, codec) => {
  const source = await madeMedia(
    'jobs-encoders.mp4',
    '-f lavfi -i testsrc2=s=320x240:r=25:d=1,noise=alls=10:allf=t -c:v libx264 -preset ultrafast -b:v 500k',
  )
  const rig = new JobRig({ ffmpegPath: without(name, missing) })
  try {
    copyFileSync(source, rig.path('source.mp4'))
    await rig.remux('source.mp4', 'made.webm')
    expect((await probe(rig.path('made.webm'))).streams).toMatchObject([{ codec_name: codec }])
  } finally {
    rig.remove()
  }
})

it('without any encoder it is said which to install', async () => {
  const rig = new JobRig({ ffmpegPath: without('ffmpeg-none', '264|openh264') })
  try {
    copyFileSync(
      await madeMedia('jobs-vp8.webm', '-f lavfi -i testsrc2=s=320x240:r=25:d=0.5 -c:v libvpx'),
      rig.path('a.webm'),
    )
    await expect(rig.remux('a.webm', 'a.mp4')).rejects.toMatchObject({
      ...{ code: 'TD_UNSUPPORTED', fault: 'caller' },
      message: expect.stringContaining('libx264'),
    })
  } finally {
    rig.remove()
  }
})
