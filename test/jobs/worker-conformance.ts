import { type ChildProcess, spawn } from 'node:child_process'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { JobQueue, JobState, JobStatus } from '../../src/jobs/job.ts'
import { until } from '../peers/until.ts'
import { openQueue, type QueuePlace } from './queue-place.ts'
import { job, Script } from './scripted-jobs.ts'

/** Longer than any test. */
const LONG_LEASE_MS = 120_000

/** A worker in a process of its own. */
class WorkerPeer {
  said = ''
  readonly #child: ChildProcess
  readonly gone: Promise<void>

  constructor(place: QueuePlace, node: string) {
    const script = new URL('./worker-process.ts', import.meta.url).pathname
    const child = spawn(process.execPath, [script, JSON.stringify(place), node], { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#child = child
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.said += text
    })
    this.gone = new Promise((resolve) => child.once('close', () => resolve()))
  }

  says(line: string): Promise<true> {
    return until(`"${line}" after ${this.said}`, () => (this.said.split('\n').includes(line) ? true : undefined))
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name)
  }

  /** Lets the job that hangs end. */
  release(): void {
    this.#child.stdin?.write('release\n')
  }

  async end(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.signal(signal)
    await this.gone
  }
}

/** What workers in processes of their own must do: `makePlace` gives an empty place each time. */
export function workerConformance(
  name: string,
  ground: { start(): Promise<void>; makePlace(): QueuePlace; stop(): Promise<void> },
): void {
  describe(`${name} workers`, () => {
    let workers: WorkerPeer[] = []
    let queues: JobQueue[] = []
    beforeAll(() => ground.start())
    afterAll(() => ground.stop())
    afterEach(async () => {
      await Promise.all(workers.map((worker) => worker.end()))
      await Promise.all(queues.map((queue) => queue.close()))
      workers = []
      queues = []
    })

    const begin = async (place: QueuePlace, node: string): Promise<WorkerPeer> => {
      const worker = new WorkerPeer(place, node)
      workers.push(worker)
      await worker.says('works')
      return worker
    }
    const open = (place: QueuePlace): JobQueue => {
      const queue = openQueue(place, 'test')
      queues.push(queue)
      return queue
    }
    const reaches = (queue: JobQueue, id: string, state: JobState): Promise<JobStatus> =>
      until(`${id} to be ${state}`, async () => {
        const status = await queue.get(id)
        return status?.state === state ? status : undefined
      })

    it('do again what another left that was killed, once its lease is over', async () => {
      const place = ground.makePlace()
      const [queue, script] = [open(place), new Script()]
      const worker = await begin(place, 'a')
      await queue.add(job('hang'))
      await worker.says('began hang')
      await worker.end('SIGKILL')
      expect((await queue.get('hang'))?.state).toBe('running')
      queue.work(script.handler, { concurrency: 1 })
      expect((await reaches(queue, 'hang', 'done')).attempts).toBe(2)
    })

    it('do it at once when they are of the same node', async () => {
      const place = { ...ground.makePlace(), leaseMs: LONG_LEASE_MS }
      const queue = open(place)
      const killed = await begin(place, 'a')
      await queue.add(job('hang'))
      await killed.says('began hang')
      await killed.end('SIGKILL')
      const next = await begin(place, 'a')
      await next.says('began hang')
      next.release()
      await reaches(queue, 'hang', 'done')
    })

    it('leave alone what others of their node are doing', async () => {
      const place = { ...ground.makePlace(), leaseMs: LONG_LEASE_MS }
      const queue = open(place)
      const first = await begin(place, 'a')
      await queue.add(job('hang'))
      await first.says('began hang')
      const second = await begin(place, 'a')
      await queue.add(job('other'))
      await second.says('did other')
      expect(second.said).not.toContain('hang')
      first.release()
      expect((await reaches(queue, 'hang', 'done')).attempts).toBe(1)
    })

    it('give up a job that kills them', async () => {
      const place = { ...ground.makePlace(), leaseMs: LONG_LEASE_MS }
      const queue = open(place)
      await queue.add(job('die'))
      for (let times = 0; times < 3; times++) await (await begin(place, 'a')).gone
      await begin(place, 'a')
      expect((await reaches(queue, 'die', 'dead')).error?.code).toBe('TD_JOB_LOST')
      await queue.retry('die')
      await until('another try', () => (workers.at(-1)?.said.includes('began die') ? true : undefined))
    })

    it('share the work, also when one of them is killed', async () => {
      const place = ground.makePlace()
      const queue = open(place)
      const [one, two] = await Promise.all([begin(place, 'a'), begin(place, 'b')])
      const ends: string[] = []
      queue.listen({ finished: ({ job: { job_id }, state }) => ends.push(`${job_id} ${state}`) })
      const ids = Array.from({ length: 20 }, (_, index) => `job-${index}`)
      await queue.add(job('hang', 10))
      const victim = await Promise.race([
        one.says('began hang').then(() => one),
        two.says('began hang').then(() => two),
      ])
      await Promise.all(ids.map((id) => queue.add(job(id))))
      await victim.end('SIGKILL')
      const survivor = victim === one ? two : one
      await survivor.says('began hang')
      survivor.release()
      for (const id of ['hang', ...ids]) await reaches(queue, id, 'done')
      await until('all ends', () => (new Set(ends).size === 21 ? true : undefined))
      expect(new Set(ends)).toEqual(new Set(['hang', ...ids].map((id) => `${id} done`)))
    })

    it('bring every job to exactly one end while they are killed at random', async () => {
      const place = ground.makePlace()
      const queue = open(place)
      const ends = new Map<string, Set<JobState>>()
      queue.listen({
        finished: ({ job: { job_id: id }, state }) => ends.set(id, (ends.get(id) ?? new Set()).add(state)),
      })
      const ids = Array.from({ length: 40 }, (_, index) => `${index % 4 === 0 ? 'fail' : 'slow'}-${index}`)
      await Promise.all(ids.map((id) => queue.add(job(id))))
      let nodes = 0
      const alive = [await begin(place, 'n0'), await begin(place, 'n1')]
      for (let kills = 0; kills < 6; kills++) {
        const at = Math.floor(Math.random() * alive.length)
        const seen = alive[at]?.said.length ?? 0
        await until('some work, or none left', async () => {
          const { waiting, running } = await queue.depth()
          return (alive[at]?.said.length ?? 0) > seen || waiting + running === 0 ? true : undefined
        })
        await alive[at]?.end('SIGKILL')
        alive[at] = await begin(place, kills % 2 === 0 ? `n${at}` : `new-${nodes++}`)
      }
      await until('all ends', () => (ends.size === ids.length ? true : undefined))
      for (const id of ids) {
        const status = await queue.get(id)
        expect([...(ends.get(id) ?? [])], id).toEqual([status?.state])
        if (id.startsWith('fail')) expect(status?.state).toBe('dead')
        else expect(status?.state === 'done' || status?.error?.code === 'TD_JOB_LOST', id).toBe(true)
      }
    })

    it('drop what they were doing when another has it', async () => {
      const place = ground.makePlace()
      const [queue, script] = [open(place), new Script()]
      const frozen = await begin(place, 'a')
      await queue.add(job('hang'))
      await frozen.says('began hang')
      frozen.signal('SIGSTOP')
      script.plan('hang', 'hang')
      queue.work(script.handler, { concurrency: 1 })
      await until('another to take it', () => (script.begun.length > 0 ? true : undefined))
      frozen.signal('SIGCONT')
      await frozen.says('aborted hang')
      script.release('hang')
      expect((await reaches(queue, 'hang', 'done')).attempts).toBe(2)
    })

    it('end what is cancelled elsewhere', async () => {
      const place = ground.makePlace()
      const queue = open(place)
      const worker = await begin(place, 'a')
      await queue.add(job('hang'))
      await worker.says('began hang')
      const askedAt = performance.now()
      await queue.cancel('hang')
      await worker.says('aborted hang')
      expect(performance.now() - askedAt).toBeLessThan(10_000)
      await queue.add(job('next'))
      await worker.says('did next')
      expect((await queue.get('hang'))?.state).toBe('cancelled')
    })

    it('put back what they do when asked to end', async () => {
      const place = { ...ground.makePlace(), leaseMs: LONG_LEASE_MS }
      const queue = open(place)
      const worker = await begin(place, 'a')
      await queue.add(job('hang'))
      await worker.says('began hang')
      await worker.end('SIGTERM')
      expect(worker.said).toContain('aborted hang')
      expect((await queue.get('hang'))?.state).toBe('waiting')
      const next = await begin(place, 'b')
      await next.says('began hang')
    })
  })
}
