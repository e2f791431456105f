import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { pathBelow, WorkFile } from '../../../src/jobs/ffmpeg/job-paths.ts'

let root = ''
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'tapedeck-paths-')))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

describe('a path of a job', () => {
  it('is one below the root', async () => {
    mkdirSync(join(root, 'a/b'), { recursive: true })
    writeFileSync(join(root, 'a/b/..c.mp4'), '')
    expect(await pathBelow(root, 'a/b/..c.mp4', true)).toBe(join(root, 'a/b/..c.mp4'))
    expect(await pathBelow(root, 'a/b/new %03d: -x.mp4', false)).toBe(join(root, 'a/b/new %03d: -x.mp4'))
  })

  it.each(['/etc/passwd', '..', '../x', 'a/../../x', 'a\\..\\..\\x', 'x\0.mp4', '.', ''])(
    '%j is refused',
    async (path) => {
      for (const exists of [true, false]) {
        await expect(pathBelow(root, path, exists)).rejects.toMatchObject({ code: 'TD_PATH', fault: 'caller' })
      }
    },
  )

  it('does not leave through a link', async () => {
    mkdirSync(join(root, 'inside'))
    symlinkSync('/etc', join(root, 'out'))
    symlinkSync('/etc/passwd', join(root, 'inside/file.mp4'))
    symlinkSync(join(root, 'inside'), join(root, 'within'))
    await expect(pathBelow(root, 'out', false)).rejects.toMatchObject({ code: 'TD_PATH' })
    await expect(pathBelow(root, 'out/passwd', true)).rejects.toMatchObject({ code: 'TD_PATH' })
    await expect(pathBelow(root, 'out/new.mp4', false)).rejects.toMatchObject({ code: 'TD_PATH' })
    await expect(pathBelow(root, 'inside/file.mp4', true)).rejects.toMatchObject({ code: 'TD_PATH' })
    expect(await pathBelow(root, 'within/new.mp4', false)).toBe(join(root, 'inside/new.mp4'))
  })

  it('that is not there is said so', async () => {
    await expect(pathBelow(root, 'gone.mp4', true)).rejects.toMatchObject({ code: 'TD_FILE_MISSING' })
    await expect(pathBelow(root, 'gone/new.mp4', false)).rejects.toMatchObject({ code: 'TD_FILE_MISSING' })
  })
})

describe('a work file', () => {
  it('is hidden, private, and becomes the output', async () => {
    const work = new WorkFile(join(root, 'show.mp4'), 'job-7')
    expect(work.path).toBe(join(root, '.show.job-7.part.mp4'))
    await work.create()
    expect(statSync(work.path).mode & 0o777).toBe(0o600)
    writeFileSync(work.path, 'media')
    writeFileSync(`${work.prefix}.pass-0.log`, 'figures')
    writeFileSync(join(root, 'show.mp4'), 'of a try that nobody heard of')
    await work.keep()
    expect(readdirSync(root)).toEqual(['show.mp4'])
    expect(statSync(join(root, 'show.mp4')).size).toBe(5)
  })

  it('takes the place of what an earlier try left, and of nothing else', async () => {
    for (const name of ['.show.job-7.part.mp4', '.show.job-7.part.pass-0.log.mbtree', '.show.job-70.part.mp4']) {
      writeFileSync(join(root, name), 'old')
    }
    const work = new WorkFile(join(root, 'show.mp4'), 'job-7')
    await work.create()
    expect(readdirSync(root).sort()).toEqual(['.show.job-7.part.mp4', '.show.job-70.part.mp4'])
    await work.remove()
    expect(readdirSync(root)).toEqual(['.show.job-70.part.mp4'])
  })

  it('has a name that fits, whatever the output and the job are called', async () => {
    for (const id of ['../../etc/x', `${'j'.repeat(64)}`, 'a\0b']) {
      const work = new WorkFile(join(root, `${'ü'.repeat(120)}.mp4`), id)
      await work.create()
      expect(readdirSync(root)).toHaveLength(1)
      await work.remove()
      expect(readdirSync(root)).toEqual([])
    }
  })
})
