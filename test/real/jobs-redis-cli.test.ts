import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { BullJobQueue } from '../../src/jobs/bull/queue.ts'
import type { Job } from '../../src/jobs/job.ts'
import { silent } from '../jobs/scripted-jobs.ts'
import { CliProcess, cli } from '../peers/cli.ts'
import { type RedisPeer, startRedis } from '../peers/redis.ts'
import { scratch } from '../peers/tapedeck.ts'
import { until } from '../peers/until.ts'

/** Long enough that the rendition of it can be broken off in the middle. */
const SOURCE_S = 12

// servers put jobs into Redis, workers on the same storage do them
describe('tapedeck worker', () => {
  const directory = scratch('worker')
  const recordDir = join(directory.path, 'recordings')
  let redis: RedisPeer
  let queue: BullJobQueue
  const workers: CliProcess[] = []

  beforeAll(async () => {
    redis = await startRedis()
    queue = new BullJobQueue({ redisUrl: redis.url, prefix: 'webrtc:recording:', node: 'server', logger: silent })
    mkdirSync(recordDir)
    const picture = ['-f', 'lavfi', '-i', `testsrc2=size=1280x720:rate=30:duration=${SOURCE_S}`]
    const sound = ['-f', 'lavfi', '-i', `sine=duration=${SOURCE_S}`]
    const codecs = ['-c:v', 'libx264', '-preset', 'ultrafast', '-g', '60', '-c:a', 'aac']
    execFileSync('ffmpeg', ['-v', 'error', ...picture, ...sound, ...codecs, join(recordDir, 'source.mp4')])
  })
  afterAll(async () => {
    for (const worker of workers) worker.signal('SIGKILL')
    await Promise.all(workers.map((worker) => worker.ended))
    await queue.close()
    await redis.stop()
    directory.drop()
  })

  const begin = async (name: string): Promise<CliProcess> => {
    const places = ['--redis', redis.url, '--record-dir', recordDir, '--data-dir', join(directory.path, name)]
    const worker = new CliProcess(['worker', ...places, '--log-format', 'text'], { cwd: directory.path })
    workers.push(worker)
    await worker.says(/Ctrl-C puts back/)
    return worker
  }
  const source = { file_id: 'f1', participant_id: 'a', path: 'source.mp4', duration_ms: SOURCE_S * 1000, part: 1 }
  const base = { recording_id: 'r1', priority: 0, source }
  const small = { resolution: '854x480', video_bitrate: 1_000_000, audio_bitrate: 96_000, fps: 24 }
  const rendition = (id: string): Job => ({
    ...base,
    kind: 'rendition',
    job_id: id,
    output: `${id}.mp4`,
    format: 'mp4',
    quality: { ...small, source_percent: null },
  })
  const comesTo = (id: string, state: string): Promise<true> =>
    until(`${id} to be ${state}`, async () => ((await queue.get(id))?.state === state ? true : undefined))
  const isUnderWay = (id: string): Promise<true> =>
    until(`progress of ${id}`, async () => ((await queue.get(id))?.percent ? true : undefined))
  /** Processes of ffmpeg that work on `name`. */
  const encoders = (name: string): string[] =>
    readdirSync('/proc')
      .filter((entry) => /^\d+$/.test(entry))
      .filter((pid) => {
        try {
          const command = readFileSync(`/proc/${pid}/cmdline`, 'latin1')
          return command.includes(name) && command.includes(recordDir)
        } catch {
          return false // it is gone
        }
      })

  it('does the jobs of its servers', async () => {
    const worker = await begin('one')
    await queue.add({ ...base, kind: 'remux', job_id: 'remux', output: 'remuxed.mkv', format: 'mkv' })
    await comesTo('remux', 'done')
    const [file] = (await queue.get('remux'))?.result?.files ?? []
    expect(file).toMatchObject({ kind: 'remux', format: 'mkv', path: 'remuxed.mkv' })
    expect(existsSync(join(recordDir, 'remuxed.mkv'))).toBe(true)
    worker.signal('SIGTERM')
    expect((await worker.ended).code).toBe(0)
  })

  it('puts back what it does when it is asked to end, and another does it', async () => {
    const first = await begin('one')
    await queue.add(rendition('moved'))
    await isUnderWay('moved')
    first.signal('SIGTERM')
    expect((await first.ended).code).toBe(0)
    expect(encoders('moved')).toEqual([])
    expect((await queue.get('moved'))?.state).toBe('waiting')
    const second = await begin('two')
    await comesTo('moved', 'done')
    second.signal('SIGTERM')
    await second.ended
    expect(readdirSync(recordDir).filter((name) => name.includes('moved'))).toEqual(['moved.mp4'])
  })

  it('ends what is cancelled by "tapedeck jobs", with its ffmpeg', async () => {
    const worker = await begin('one')
    await queue.add(rendition('unwanted'))
    await isUnderWay('unwanted')
    expect(encoders('unwanted')).not.toEqual([])
    const listed = await cli(directory.path, ['jobs', 'list', '--redis', redis.url])
    expect(listed.stdout).toMatch(/^running {3}unwanted {2}rendition {2}recording r1 {2}\d+ %/)
    const { stdout } = await cli(directory.path, ['jobs', 'cancel', 'unwanted', '--redis', redis.url])
    expect(stdout).toBe('unwanted cancelled\n')
    await until('the end of ffmpeg', () => (encoders('unwanted').length === 0 ? true : undefined))
    await until('clean storage', () =>
      readdirSync(recordDir).some((name) => name.includes('unwanted')) ? undefined : true,
    )
    worker.signal('SIGTERM')
    await worker.ended
  })

  it('leaves no ffmpeg when it is killed, and does the job when it is back', async () => {
    const killed = await begin('one')
    await queue.add(rendition('again'))
    await isUnderWay('again')
    killed.signal('SIGKILL')
    await killed.ended
    await until('the end of ffmpeg', () => (encoders('again').length === 0 ? true : undefined))
    const next = await begin('one') // the same node: it need not wait for the lease to be over
    await comesTo('again', 'done')
    expect((await queue.get('again'))?.attempts).toBe(2)
    next.signal('SIGTERM')
    await next.ended
  })
})
