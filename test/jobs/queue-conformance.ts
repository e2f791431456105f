import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { JobQueue, JobState, JobStatus } from '../../src/jobs/job.ts'
import { MisuseError } from '../../src/media/errors.ts'
import { until } from '../peers/until.ts'
import { type Act, job, Script } from './scripted-jobs.ts'

/** One place where queues are kept. */
export interface QueueGround {
  /** Another queue on the same jobs, as another process has one; in a hurry. */
  open(): Promise<JobQueue>
  /** Adds something with the id `foreign` that is no job. */
  addForeign(): Promise<void>
  /** Forgets all jobs. */
  clear(): Promise<void>
  drop(): Promise<void>
}

/** What every queue of jobs must do, within one process. */
export function queueConformance(name: string, makeGround: () => Promise<QueueGround>): void {
  describe(`${name} queue of jobs`, () => {
    let ground: QueueGround
    let opened: JobQueue[] = []

    beforeAll(async () => {
      ground = await makeGround()
    })
    afterEach(async () => {
      await Promise.all(opened.map((queue) => queue.close()))
      opened = []
      await ground.clear()
    })
    afterAll(() => ground.drop())

    const open = async (): Promise<JobQueue> => {
      const queue = await ground.open()
      opened.push(queue)
      return queue
    }
    const reaches = (queue: JobQueue, id: string, state: JobState): Promise<JobStatus> =>
      until(`${id} to be ${state}`, async () => {
        const status = await queue.get(id)
        return status?.state === state ? status : undefined
      })
    const began = (script: Script, id: string, times = 1): Promise<true> =>
      until(`${id} to begin`, () => (script.begun.filter((each) => each === id).length >= times ? true : undefined))

    it('does a job and keeps its result', async () => {
      const [queue, script] = [await open(), new Script()]
      await queue.add(job('a'))
      expect(await queue.get('a')).toMatchObject({ job: job('a'), state: 'waiting', percent: 0, attempts: 0 })
      queue.work(script.handler, { concurrency: 1 })
      const status = await reaches(queue, 'a', 'done')
      expect(status).toEqual({
        job: job('a'),
        state: 'done',
        percent: 100,
        etaSeconds: null,
        attempts: 1,
        error: undefined,
        result: { files: [] },
      })
      expect(await queue.depth()).toEqual({ waiting: 0, running: 0, dead: 0 })
    })

    it('knows nothing of jobs that nobody added', async () => {
      const queue = await open()
      expect(await queue.get('nobody')).toBeUndefined()
      expect(await queue.cancel('nobody')).toBe(false)
      expect(await queue.retry('nobody')).toBe(false)
      expect(await queue.list({ limit: 10 })).toEqual([])
    })

    it('takes ids of any shape', async () => {
      const [queue, script] = [await open(), new Script()]
      const ids = ['17', 'a:b:c', 'ä/ü ?#%41', '0', '..']
      for (const id of ids) await queue.add(job(id))
      queue.work(script.handler, { concurrency: 1 })
      for (const id of ids) expect((await reaches(queue, id, 'done')).job.job_id).toBe(id)
      expect(script.begun).toEqual(ids)
    })

    it('takes the same id twice as one job, also when it is done or cancelled', async () => {
      const [queue, script] = [await open(), new Script()]
      await Promise.all([queue.add(job('twice')), queue.add(job('twice'))])
      await queue.add(job('gone'))
      await queue.cancel('gone')
      queue.work(script.handler, { concurrency: 2 })
      await reaches(queue, 'twice', 'done')
      await queue.add(job('twice'))
      await queue.add(job('gone'))
      await queue.add(job('after'))
      await reaches(queue, 'after', 'done')
      expect(script.begun).toEqual(['twice', 'after'])
      expect((await queue.get('gone'))?.state).toBe('cancelled')
    })

    it('begins with what matters most, and the oldest of those', async () => {
      const [queue, script] = [await open(), new Script()]
      for (const [id, priority] of Object.entries({ a: 0, b: -100, c: 5, d: 0, e: 100, f: 5 })) {
        await queue.add(job(id, priority))
      }
      queue.work(script.handler, { concurrency: 1 })
      await reaches(queue, 'b', 'done')
      expect(script.begun).toEqual(['e', 'c', 'f', 'a', 'd', 'b'])
    })

    it('does as many at a time as it may, and no more', async () => {
      const [queue, script] = [await open(), new Script()]
      for (const id of ['a', 'b', 'c', 'd', 'e']) await queue.add(script.plan(id, 'hang'))
      queue.work(script.handler, { concurrency: 3 })
      for (const id of ['a', 'b', 'c', 'd', 'e']) {
        await began(script, id)
        script.release(id)
      }
      await reaches(queue, 'e', 'done')
      expect(script.busiest).toBe(3)
    })

    it('learns at once of what was added here, and soon of what was added elsewhere', async () => {
      const [queue, other, script] = [await open(), await open(), new Script()]
      queue.work(script.handler, { concurrency: 1 })
      await queue.add(job('here'))
      await reaches(queue, 'here', 'done')
      await other.add(job('there'))
      await reaches(other, 'there', 'done')
    })

    it('tries again what failed', async () => {
      const [queue, script] = [await open(), new Script()]
      await queue.add(script.plan('shaky', 'fail', 'fail', 'done'))
      queue.work(script.handler, { concurrency: 1 })
      expect(await reaches(queue, 'shaky', 'done')).toMatchObject({ attempts: 3, result: { files: [] } })
    })

    it('gives up after three tries, shows what is dead, and begins anew when asked', async () => {
      const [queue, script] = [await open(), new Script()]
      await queue.add(script.plan('bad', 'fail', 'fail', 'fail', 'fail', 'fail', 'done'))
      queue.work(script.handler, { concurrency: 1 })
      const dead = await reaches(queue, 'bad', 'dead')
      expect(dead).toMatchObject({ attempts: 3, result: undefined, error: { code: 'TD_JOB_FAILED' } })
      expect(dead.error?.message).toContain('no luck with bad')
      expect(await queue.depth()).toEqual({ waiting: 0, running: 0, dead: 1 })
      expect((await queue.list({ states: ['dead'], limit: 10 })).map((each) => each.job.job_id)).toEqual(['bad'])
      expect(await queue.cancel('bad')).toBe(false)
      expect(await queue.retry('bad')).toBe(true)
      await reaches(queue, 'bad', 'done')
      expect(script.begun).toHaveLength(6)
      expect(await queue.retry('bad')).toBe(false)
      expect(await queue.depth()).toEqual({ waiting: 0, running: 0, dead: 0 })
    })

    it("does not repeat what is the caller's fault", async () => {
      const [queue, script] = [await open(), new Script()]
      await queue.add(script.plan('impossible', 'refuse'))
      queue.work(script.handler, { concurrency: 1 })
      expect(await reaches(queue, 'impossible', 'dead')).toMatchObject({
        attempts: 1,
        error: { code: 'TD_UNSUPPORTED', message: 'nobody can do impossible' },
      })
    })

    it('cancels what waits', async () => {
      const [queue, script] = [await open(), new Script()]
      await queue.add(job('unwanted'))
      expect(await queue.cancel('unwanted')).toBe(true)
      expect(await queue.get('unwanted')).toMatchObject({ job: job('unwanted'), state: 'cancelled', attempts: 0 })
      expect(await queue.cancel('unwanted')).toBe(false)
      expect(await queue.depth()).toEqual({ waiting: 0, running: 0, dead: 0 })
      expect((await queue.list({ states: ['cancelled'], limit: 5 })).map((each) => each.job)).toEqual([job('unwanted')])
      queue.work(script.handler, { concurrency: 1 })
      await queue.add(job('wanted'))
      await reaches(queue, 'wanted', 'done')
      expect(await queue.retry('unwanted')).toBe(true)
      await reaches(queue, 'unwanted', 'done')
      expect(script.begun).toEqual(['wanted', 'unwanted'])
    })

    it.each(['here', 'elsewhere'])('cancels what runs, asked %s', async (where) => {
      const [queue, other, script] = [await open(), await open(), new Script()]
      queue.work(script.handler, { concurrency: 1 })
      await queue.add(script.plan('long', 'hang'))
      await began(script, 'long')
      const askedAt = performance.now()
      expect(await (where === 'here' ? queue : other).cancel('long')).toBe(true)
      await until('the abort', () => (script.aborted.length > 0 ? true : undefined))
      expect(performance.now() - askedAt).toBeLessThan(10_000)
      await reaches(other, 'long', 'cancelled')
      await queue.add(job('next'))
      await reaches(queue, 'next', 'done')
      expect(script.begun).toEqual(['long', 'next'])
      expect(await queue.cancel('long')).toBe(false)
      expect(await queue.depth()).toEqual({ waiting: 0, running: 0, dead: 0 })
      expect(await queue.retry('long')).toBe(true)
      await began(script, 'long', 2)
      script.release('long')
      await reaches(queue, 'long', 'done')
    })

    it('cancels what waits for another try', async () => {
      const [queue, script] = [await open(), new Script()]
      await queue.add(script.plan('shaky', 'fail', 'hang'))
      queue.work(script.handler, { concurrency: 1 })
      await until('a first failure', async () => ((await queue.get('shaky'))?.error ? true : undefined))
      await queue.cancel('shaky')
      await reaches(queue, 'shaky', 'cancelled')
      expect(await queue.depth()).toMatchObject({ waiting: 0, dead: 0 })
    })

    it('leaves cancelled what ends well all the same', async () => {
      const [queue, script] = [await open(), new Script()]
      queue.work(script.handler, { concurrency: 1 })
      await queue.add(script.plan('stubborn', 'stubborn'))
      await began(script, 'stubborn')
      await queue.cancel('stubborn')
      await queue.add(job('next'))
      await reaches(queue, 'next', 'done')
      expect(await queue.get('stubborn')).toMatchObject({ state: 'cancelled', result: undefined })
    })

    it('shows progress to everybody', async () => {
      const [queue, other, script] = [await open(), await open(), new Script()]
      const told: (readonly [string, number, number | null])[] = []
      other.listen({ progress: (of, percent, eta) => told.push([of.job_id, percent, eta]) })
      await queue.add(script.plan('slow', 'hang'))
      queue.work(script.handler, { concurrency: 1 })
      await began(script, 'slow')
      script.context?.progress(10, null)
      script.context?.progress(25, 30)
      await until('progress in the status', async () => {
        const status = await other.get('slow')
        return status?.percent === 25 && status.etaSeconds === 30 && status.state === 'running' ? true : undefined
      })
      await until('progress told', () => (told.some(([, percent]) => percent === 25) ? true : undefined))
      script.context?.progress(50, null)
      await until('an estimate', () =>
        told.some(([, percent, eta]) => percent === 50 && eta !== null) ? true : undefined,
      )
      expect(told.every(([id]) => id === 'slow')).toBe(true)
      script.release('slow')
      await reaches(other, 'slow', 'done')
    })

    it('writes progress now and then, however often it is reported', async () => {
      const [queue, script] = [await open(), new Script()]
      let told = 0
      queue.listen({ progress: () => told++ })
      await queue.add(script.plan('chatty', 'hang'))
      queue.work(script.handler, { concurrency: 1 })
      await began(script, 'chatty')
      const startedAt = performance.now()
      for (let percent = 0; percent < 100; percent += 0.25) {
        script.context?.progress(percent, 1)
        if (percent % 1 === 0) await new Promise((resolve) => setImmediate(resolve))
      }
      await until('the last progress', async () => ((await queue.get('chatty'))?.percent === 99.75 ? true : undefined))
      const tookMs = performance.now() - startedAt
      script.release('chatty')
      await reaches(queue, 'chatty', 'done')
      expect(told).toBeGreaterThan(0)
      expect(told).toBeLessThan(3 + tookMs / 30)
    })

    it('tells listeners of every end, wherever it came about', async () => {
      const [queue, other, script] = [await open(), await open(), new Script()]
      const [here, there] = [new Map<string, JobState>(), new Map<string, JobState>()]
      queue.listen({ finished: (status) => here.set(status.job.job_id, status.state) })
      const stop = other.listen({ finished: (status) => there.set(status.job.job_id, status.state) })
      for (const each of [job('good'), script.plan('bad', 'refuse'), script.plan('long', 'hang'), job('no', -5)]) {
        await other.add(each)
      }
      await other.cancel('no')
      queue.work(script.handler, { concurrency: 2 })
      await began(script, 'long')
      await other.cancel('long')
      const wanted = { good: 'done', bad: 'dead', long: 'cancelled', no: 'cancelled' }
      await until('all ends there', () => (there.size === 4 ? true : undefined))
      await until('ends here', () => (here.size >= 3 ? true : undefined))
      expect(Object.fromEntries(there)).toEqual(wanted)
      expect(wanted).toMatchObject(Object.fromEntries(here))
      stop()
      await queue.add(job('later'))
      await reaches(queue, 'later', 'done')
      await until('the end here', () => here.get('later'))
      expect(there.has('later')).toBe(false)
    })

    it('goes on when a listener throws', async () => {
      const [queue, script] = [await open(), new Script()]
      const ends: string[] = []
      queue.listen({
        finished: () => {
          throw new Error('listener')
        },
      })
      queue.listen({ finished: ({ job: { job_id } }) => ends.push(job_id) })
      queue.work(script.handler, { concurrency: 1 })
      await queue.add(job('a'))
      await queue.add(job('b'))
      await until('both ends', () => (ends.includes('a') && ends.includes('b') ? true : undefined))
    })

    it('puts back what runs when it is closed, which is no try', async () => {
      const script = new Script()
      const other = await open()
      await other.add(script.plan('long', 'hang', 'fail', 'hang', 'fail', 'hang', 'done'))
      for (const tries of [1, 3, 5]) {
        const queue = await open()
        queue.work(script.handler, { concurrency: 1 })
        await began(script, 'long', tries)
        await Promise.all([queue.close(), queue.close()])
        expect(await other.get('long')).toMatchObject({ state: 'waiting' })
      }
      expect(script.aborted).toHaveLength(3)
      other.work(script.handler, { concurrency: 1 })
      await reaches(other, 'long', 'done')
    })

    it('leaves all to others when told to do none', async () => {
      const [queue, other, script] = [await open(), await open(), new Script()]
      queue.work(script.handler, { concurrency: 0 })
      await queue.add(job('a'))
      other.work(script.handler, { concurrency: 1 })
      await reaches(queue, 'a', 'done')
      await queue.close()
    })

    it('gives up what is no job of ours, and goes on', async () => {
      const [queue, script] = [await open(), new Script()]
      await ground.addForeign()
      queue.work(script.handler, { concurrency: 1 })
      await queue.add(job('a'))
      await reaches(queue, 'a', 'done')
      await until('it to be dead', async () => ((await queue.depth()).dead === 1 ? true : undefined))
      expect(await queue.list({ limit: 10 })).toHaveLength(1)
      expect(await queue.get('foreign')).toBeUndefined()
      expect(script.begun).toEqual(['a'])
    })

    it('works once, and not when closed', async () => {
      const [queue, closed, script] = [await open(), await open(), new Script()]
      queue.work(script.handler, { concurrency: 1 })
      expect(() => queue.work(script.handler, { concurrency: 1 })).toThrow(MisuseError)
      await closed.close()
      expect(() => closed.work(script.handler, { concurrency: 1 })).toThrow(MisuseError)
    })

    it('lists the newest first, those of the states asked for, as many as asked for', async () => {
      const [queue, script] = [await open(), new Script()]
      await queue.add(script.plan('old-dead', 'refuse'))
      await queue.add(job('old-done'))
      queue.work(script.handler, { concurrency: 1 })
      await reaches(queue, 'old-done', 'done')
      await queue.add(script.plan('running', 'hang'))
      await began(script, 'running')
      await queue.add(job('low', -50))
      await queue.add(job('high', 50))
      await queue.add(job('off'))
      await queue.cancel('off')
      const ids = async (query: { states?: readonly JobState[]; limit: number }) =>
        (await queue.list(query)).map((status) => `${status.job.job_id} ${status.state}`)
      await reaches(queue, 'running', 'running')
      const all = ['off cancelled', 'high waiting', 'low waiting', 'running running', 'old-done done', 'old-dead dead']
      expect(await ids({ limit: 100 })).toEqual(all)
      expect(await ids({ limit: 2 })).toEqual(all.slice(0, 2))
      expect(await ids({ states: ['waiting', 'dead'], limit: 100 })).toEqual([all[1], all[2], all[5]])
      expect(await queue.depth()).toEqual({ waiting: 2, running: 1, dead: 1 })
      script.release('running')
    })

    it('shares jobs among workers, each job done by one', async () => {
      const [one, two, script] = [await open(), await open(), new Script()]
      const ids = Array.from({ length: 30 }, (_, index) => `job-${index}`)
      for (const queue of [one, two]) queue.work(script.handler, { concurrency: 2 })
      await Promise.all(ids.map((id, index) => (index % 2 === 0 ? one : two).add(job(id))))
      for (const id of ids) await reaches(one, id, 'done')
      expect(script.begun.toSorted()).toEqual(ids.toSorted())
    })

    it('brings every job to exactly one end, however they fail', async () => {
      const act = fc.constantFrom<Act>('done', 'fail', 'refuse')
      const plans = fc.array(fc.array(act, { minLength: 4, maxLength: 4 }), { minLength: 1, maxLength: 12 })
      let round = 0
      await fc.assert(
        fc.asyncProperty(plans, fc.integer({ min: 1, max: 4 }), async (jobs, concurrency) => {
          const [queue, script] = [await open(), new Script()]
          const ends: string[] = []
          const prefix = `round-${round++}`
          queue.listen({
            finished: ({ job: { job_id }, state }) => {
              if (job_id.startsWith(`${prefix}-`)) ends.push(`${job_id} ${state}`)
            },
          })
          queue.work(script.handler, { concurrency })
          const wanted = jobs.map((acts, index) => {
            const end = acts.findIndex((each, tries) => each !== 'fail' || tries === 2)
            return { id: `${prefix}-${index}`, acts, state: acts[end] === 'done' ? 'done' : 'dead', attempts: end + 1 }
          })
          await Promise.all(wanted.map(({ id, acts }) => queue.add(script.plan(id, ...acts))))
          await until('all ends', () => (new Set(ends).size >= wanted.length ? true : undefined))
          for (const { id, state, attempts } of wanted) {
            expect(await queue.get(id)).toMatchObject({ state, attempts })
            expect(script.begun.filter((each) => each === id)).toHaveLength(attempts)
          }
          expect([...new Set(ends)].toSorted()).toEqual(wanted.map(({ id, state }) => `${id} ${state}`).toSorted())
          await queue.close()
        }),
        { numRuns: 8 },
      )
    })
  })
}
