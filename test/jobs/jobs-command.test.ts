import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { EmbeddedJobQueue } from '../../src/jobs/embedded-queue.ts'
import { SqliteStateStore } from '../../src/state/sqlite/store.ts'
import { cli } from '../peers/cli.ts'
import { scratch } from '../peers/tapedeck.ts'
import { until } from '../peers/until.ts'
import { HURRIED, job, Script, silent } from './scripted-jobs.ts'

const directory = scratch('jobs-command')
afterAll(() => directory.drop())

// beside a server that is doing jobs, on the same database
describe('tapedeck jobs', () => {
  let round = 0
  let dataDir: string
  let store: SqliteStateStore
  let queue: EmbeddedJobQueue
  let script: Script
  beforeEach(() => {
    dataDir = join(directory.path, String(round++))
    store = new SqliteStateStore(join(dataDir, 'catalogue.db'), silent)
    queue = new EmbeddedJobQueue(store.tasks, { node: 'server', logger: silent, timing: HURRIED })
    script = new Script()
    queue.work(script.handler, { concurrency: 1 })
  })
  afterEach(async () => {
    await queue.close()
    await store.close()
  })

  const jobs = (...args: string[]) => cli(directory.path, ['jobs', ...args, '--data-dir', dataDir])
  const reaches = (id: string, state: string): Promise<true> =>
    until(`${id} to be ${state}`, async () => ((await queue.get(id))?.state === state ? true : undefined))

  it('lists what runs, waits and is dead, with progress and reasons', async () => {
    await queue.add(script.plan('bad', 'refuse'))
    await reaches('bad', 'dead')
    await queue.add(job('good'))
    await reaches('good', 'done')
    await queue.add(script.plan('long', 'hang'))
    await until('it to run', () => (script.begun.includes('long') ? true : undefined))
    script.context?.progress(42.7, 90)
    await until('progress', async () => ((await queue.get('long'))?.percent === 42.7 ? true : undefined))
    await queue.add(job('next'))
    const { code, stdout } = await jobs('list')
    expect(code).toBe(0)
    expect(stdout.split('\n')).toEqual([
      'waiting   next  thumbnails  recording of-next',
      'running   long  thumbnails  recording of-long  42 %  00:01:30 to go',
      'dead      bad  thumbnails  recording of-bad',
      '          nobody can do bad (TD_UNSUPPORTED)',
      '1 waiting, 1 running, 1 dead',
      '',
    ])
    const done = await jobs('list', '--state', 'done', '--json')
    expect(JSON.parse(done.stdout)).toMatchObject({ state: 'done', percent: 100, job: { job_id: 'good' } })
    expect((await jobs('list', '--limit', '1')).stdout).toMatch(/^waiting {3}next .*\n1 waiting/)
    script.release('long')
  })

  it('cancels what runs in the server, and says what it could not', async () => {
    await queue.add(script.plan('long', 'hang'))
    await until('it to run', () => (script.begun.includes('long') ? true : undefined))
    const { code, stdout } = await jobs('cancel', 'long', 'nobody')
    expect(stdout).toBe('long cancelled\nnobody neither waits nor runs\n')
    expect(code).toBe(3)
    await until('the abort', () => (script.aborted.includes('long') ? true : undefined))
    expect((await jobs('cancel', 'long')).code).toBe(1)
  })

  it('tries again what is dead, by name or all of it', async () => {
    for (const id of ['a', 'b', 'c']) await queue.add(script.plan(id, 'refuse', 'refuse', 'done'))
    for (const id of ['a', 'b', 'c']) await reaches(id, 'dead')
    expect((await jobs('retry', 'a')).stdout).toBe('a waits again\n')
    await until('another try', () => (script.begun.length === 4 ? true : undefined))
    await reaches('a', 'dead')
    const { code, stdout } = await jobs('retry', '--dead')
    expect(stdout.split('\n').toSorted()).toEqual(['', 'a waits again', 'b waits again', 'c waits again'])
    expect(code).toBe(0)
    await reaches('a', 'done')
    await until('the others', () => (script.begun.length === 7 ? true : undefined))
  })

  it('says what is wrong with a command line', async () => {
    expect(await jobs('retry')).toMatchObject({ code: 2, stderr: expect.stringMatching(/name the jobs to retry/) })
    expect(await jobs('list', '--limit', '0')).toMatchObject({ code: 2, stderr: expect.stringMatching(/1 to 1000/) })
    expect(await jobs('list', '--state', 'ill')).toMatchObject({ code: 2, stderr: expect.stringMatching(/waiting, /) })
    const nowhere = await cli(directory.path, ['worker', '--record-dir', directory.path])
    expect(nowhere).toMatchObject({ code: 2, stderr: expect.stringMatching(/--redis: is needed/) })
    const unmounted = await cli(directory.path, ['worker', '--redis', 'redis://127.0.0.1:1', '--record-dir', 'none'])
    expect(unmounted).toMatchObject({ code: 2, stderr: expect.stringMatching(/--record-dir: .*none is no directory/) })
  })
})
