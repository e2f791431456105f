import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { failureText, JobLostError, parseFailure } from '../../src/jobs/failure.ts'
import { JobRun } from '../../src/jobs/job-run.ts'
import { QUEUE_TIMING, retryDelayMs } from '../../src/jobs/queue-timing.ts'
import { beginWorker, endWorker, isDeadWorker } from '../../src/jobs/worker-id.ts'
import { job, silent } from './scripted-jobs.ts'

describe('the text of a failure', () => {
  it('says code and message, and gives both back', () => {
    const code = fc.stringMatching(/^TD_[A-Z0-9_]{1,20}$/)
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), code, (message, code) => {
        expect(parseFailure(failureText({ code, message }))).toEqual({ code, message })
      }),
    )
    expect(failureText(new JobLostError(3))).toMatch(/ \(TD_JOB_LOST\)$/)
  })

  it('keeps the end of what is too long, where ffmpeg says why', () => {
    const text = failureText({ code: 'TD_X', message: `${'x'.repeat(100_000)} the reason` })
    expect(text.length).toBeLessThan(10_000)
    expect(text).toMatch(/ the reason \(TD_X\)$/)
  })

  it('has a code also where others wrote it', () => {
    expect(parseFailure('job stalled')).toEqual({ code: 'TD_JOB_FAILED', message: 'job stalled' })
  })
})

describe('a run', () => {
  const setUp = async () => {
    const clock = { ms: 0 }
    const run = new JobRun(job('a'), () => clock.ms)
    const { promise, resolve } = Promise.withResolvers<void>()
    let report: (percent: number, eta: number | null) => void = () => {}
    const over = run.run(async (_, { progress }) => {
      report = progress
      await promise
      return { files: [] }
    }, silent)
    return { clock, run, over, end: resolve, report: (percent: number, eta: number | null) => report(percent, eta) }
  }

  it('estimates what is left where its handler does not', async () => {
    const { clock, run, over, end, report } = await setUp()
    report(10, null)
    expect(run.progress).toEqual({ percent: 10, eta_seconds: null })
    clock.ms = 20_000
    report(30, null)
    expect(run.progress).toEqual({ percent: 30, eta_seconds: 70 })
    report(50, 12)
    expect(run.progress).toEqual({ percent: 50, eta_seconds: 12 })
    report(5, null) // a second pass begins
    clock.ms = 30_000
    report(15, null)
    expect(run.progress).toEqual({ percent: 15, eta_seconds: 85 })
    end()
    expect(await over).toEqual({ kind: 'done', result: { files: [] } })
  })

  it('bounds what it is told', async () => {
    const { run, over, end, report } = await setUp()
    for (const [percent, eta] of [
      [-5, -1],
      [400, Number.POSITIVE_INFINITY],
      [Number.NaN, Number.NaN],
    ] as const) {
      report(percent, eta)
      expect(run.progress.percent).toBeGreaterThanOrEqual(0)
      expect(run.progress.percent).toBeLessThanOrEqual(100)
      const { eta_seconds } = run.progress
      expect(eta_seconds === null || (Number.isFinite(eta_seconds) && eta_seconds >= 0)).toBe(true)
    }
    end()
    await over
  })

  it('gives progress once per interval, and only when there is some', async () => {
    const { clock, run, over, end, report } = await setUp()
    expect(run.takeProgress(1000)).toBeUndefined()
    report(1, 9)
    expect(run.takeProgress(1000)?.percent).toBe(1)
    report(2, 9)
    clock.ms = 999
    expect(run.takeProgress(1000)).toBeUndefined()
    clock.ms = 1000
    expect(run.takeProgress(1000)?.percent).toBe(2)
    clock.ms = 5000
    expect(run.takeProgress(1000)).toBeUndefined()
    end()
    await over
  })
})

describe('the wait before another try', () => {
  it('is 5 s, then 30 s, and up to a fifth longer', () => {
    for (const [failures, ms] of [
      [1, 5000],
      [2, 30_000],
    ] as const) {
      const waits = Array.from({ length: 200 }, () => retryDelayMs(failures, QUEUE_TIMING))
      expect(Math.min(...waits)).toBeGreaterThanOrEqual(ms)
      expect(Math.max(...waits)).toBeLessThanOrEqual(ms * 1.2)
      expect(new Set(waits).size).toBeGreaterThan(50)
    }
  })
})

describe('a worker is dead', () => {
  it('when its process is no more, or is ourselves in an earlier life, or when it has ended', async () => {
    const child = spawn('true')
    await once(child, 'close')
    expect(isDeadWorker(`here/${child.pid}/abc`, 'here')).toBe(true)
    expect(isDeadWorker(`here/${process.pid}/abc`, 'here')).toBe(true)
    const self = beginWorker('here')
    expect(isDeadWorker(self, 'here')).toBe(false)
    endWorker(self)
    expect(isDeadWorker(self, 'here')).toBe(true)
  })

  it('never on another node, alive, or without a name of ours', () => {
    expect(isDeadWorker(`there/${process.pid}/abc`, 'here')).toBe(false)
    expect(isDeadWorker(`here/${process.ppid}/abc`, 'here')).toBe(false)
    for (const id of ['', 'here', 'here/x/y', 'here/1', 'here/-5/x', 'here/1/2/3']) {
      expect(isDeadWorker(id, 'here')).toBe(false)
    }
  })
})
