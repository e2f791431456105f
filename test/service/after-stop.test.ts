import { afterEach, describe, expect, it } from 'vitest'
import type { Job, JobContext, JobResult } from '../../src/jobs/job.ts'
import { UnsupportedError } from '../../src/media/errors.ts'
import { Frame } from '../../src/media/frame.ts'
import { aac, write } from '../recorder/rig.ts'
import { type ControlOptions, ControlRig, withDefaults } from './control-rig.ts'

const running: ControlRig[] = []
async function rigged(options: ControlOptions = {}): Promise<ControlRig> {
  const control = await ControlRig.start(options)
  running.push(control)
  return control
}
afterEach(async () => {
  for (const control of running.splice(0)) await control.stop()
})

const everybody = { roomId: 'demo', userId: 'ann' }

/** RFC 7845 §5.1, stereo, no pre-skip. */
const OPUS_HEAD = Uint8Array.of(0x4f, 0x70, 0x75, 0x73, 0x48, 0x65, 0x61, 0x64, 1, 2, 0, 0, 0x80, 0xbb, 0, 0, 0, 0, 0)

/** Makes, in place of ffmpeg, a file that says what job it is of. */
function worker(control: ControlRig, seen: Job[] = []) {
  return async (job: Job, context: JobContext): Promise<JobResult> => {
    seen.push(job)
    context.progress(50, 1)
    const path = job.kind === 'thumbnails' ? `${job.output}/thumb_000.jpg` : job.output
    control.rig.storage.put(`/rec/${path}`, Buffer.from(job.job_id))
    const { file_id, participant_id, part, duration_ms } = job.source
    const file = {
      file_id: `made-${job.job_id}`.slice(0, 64),
      kind: job.kind === 'thumbnails' ? ('thumbnail' as const) : job.kind,
      participant_id,
      source_file_id: file_id,
      path,
      file_name: path.slice(path.lastIndexOf('/') + 1),
      format: job.kind === 'thumbnails' ? 'jpeg' : job.format,
      part,
      state: 'finalised' as const,
      offset_ms: 0,
      anchors: [],
      duration_ms,
      size_bytes: 10,
      tracks: [{ kind: 'video' as const, codec: 'h264' }],
      error: null,
    }
    return { files: [file] }
  }
}

async function recordedAs(control: ControlRig, request: object): Promise<string> {
  const { stream, source } = control.publish()
  const { recording } = await control.service.start({ ...everybody, ...request })
  write(stream, source.av(2000, 3000))
  await control.service.stop(recording.recording_id)
  return recording.recording_id
}

describe('work after the stop', () => {
  it('another quality: completed when it is there, the source kept, the rendition the main file', async () => {
    const control = await rigged()
    const seen: Job[] = []
    const id = await recordedAs(control, { quality: 'low' })
    await control.jobsBegun(id)
    expect((await control.service.get(id)).recording).toMatchObject({
      status: 'processing',
      progress: { stage: 'rendition', percent: 0 },
    })
    control.jobs.work(worker(control, seen), { concurrency: 1 })
    const { recording, jobs } = await control.service.finished(id)
    expect(recording).toMatchObject({ status: 'completed', error: null, quality: 'low', progress: null })
    expect(recording.files.map(({ kind, state }) => [kind, state])).toEqual([
      ['source', 'finalised'],
      ['rendition', 'finalised'],
    ])
    expect(recording.file_name).toMatch(/_low\.mp4$/)
    expect(jobs).toMatchObject([{ kind: 'rendition', state: 'done', required: true }])
    expect(seen).toMatchObject([
      { kind: 'rendition', format: 'mp4', quality: { resolution: '854x480', source_percent: null } },
    ])
    expect(await control.paths()).toHaveLength(3)
    expect(await control.manifests()).toEqual([await control.service.get(id)])
    expect(control.types(id).at(-1)).toBe('recording_completed')
  })

  it('a source that need not be kept goes only then', async () => {
    const control = await rigged()
    const id = await recordedAs(control, { quality: 'source*50%', keepSource: false })
    await control.jobsBegun(id)
    expect((await control.paths()).filter((path) => path.endsWith('.mp4'))).toHaveLength(1)
    control.jobs.work(worker(control), { concurrency: 1 })
    const { recording } = await control.service.finished(id)
    expect(recording.files.map(({ kind, state }) => [kind, state])).toEqual([
      ['source', 'removed'],
      ['rendition', 'finalised'],
    ])
    expect((await control.paths()).filter((path) => path.endsWith('.mp4'))).toEqual([recording.local_path])
  })

  it('a container that does not hold what came is made by a job', async () => {
    const control = await rigged()
    const seen: Job[] = []
    control.jobs.work(worker(control, seen), { concurrency: 1 })
    const id = await recordedAs(control, { format: 'webm' })
    const { recording } = await control.service.finished(id)
    expect(seen).toMatchObject([{ kind: 'remux', format: 'webm' }])
    expect(recording.files.map(({ kind, format }) => [kind, format])).toEqual([
      ['source', 'mkv'],
      ['remux', 'webm'],
    ])
    expect(recording).toMatchObject({ format: 'webm', status: 'completed' })
  })

  it.each([
    ['aac', 'mp4'],
    ['opus', 'ogg'],
  ] as const)('sound alone, of %s, stays in the format that was asked for sound: %s', async (codec, format) => {
    const control = await rigged()
    const stream = control.rig.hub.publish({ room: 'demo', participant: 'alice' }, { source: 'embedded' })
    const track = { ...aac, ...(codec === 'opus' ? { codec, config: OPUS_HEAD } : {}) }
    const sound = (ms: number) => new Frame(track, ms, ms, true, Uint8Array.of(0xfc, 1, 2, 3, 4))
    write(stream, [sound(0), sound(20)])
    const { recording } = await control.service.start({ ...everybody, format: 'webm', audioFormat: format })
    write(stream, [sound(40), sound(60), sound(80)])
    await control.service.stop(recording.recording_id)
    const entry = await control.service.finished(recording.recording_id)
    expect(entry).toMatchObject({ jobs: [], options: { format: 'webm', audio_format: format } })
    expect(entry.recording).toMatchObject({ status: 'completed', format: 'webm', error: null })
    expect(entry.recording.files).toMatchObject([{ kind: 'source', state: 'finalised', format }])
    expect(await control.paths()).toContain(entry.recording.local_path)
  })

  it('a job that cannot be done: completed all the same, with the error, the source the main file', async () => {
    const control = await rigged()
    control.jobs.work(
      async () => {
        throw new UnsupportedError('no such encoder here')
      },
      { concurrency: 1 },
    )
    const id = await recordedAs(control, { quality: 'high', keepSource: false })
    const { recording, jobs } = await control.service.finished(id)
    expect(recording).toMatchObject({ status: 'completed', error: { code: 'TD_UNSUPPORTED' } })
    expect(recording.files).toMatchObject([{ kind: 'source', state: 'finalised' }])
    expect(recording.local_path).toBe(await control.service.filePath(id, recording.files[0].file_id))
    expect(jobs).toMatchObject([{ state: 'failed' }])
    expect(control.types(id)).toContain('job_failed')
  })

  it('a job that failed and is tried anew: its result is taken in, the error goes, the source as it was asked', async () => {
    const control = await rigged()
    let isBroken = true
    const work = worker(control)
    control.jobs.work(
      async (job, context) => {
        if (isBroken) throw new UnsupportedError('no such encoder here')
        return work(job, context)
      },
      { concurrency: 1 },
    )
    const id = await recordedAs(control, { quality: 'high', keepSource: false })
    const { jobs } = await control.service.finished(id)
    expect(jobs).toMatchObject([{ state: 'failed' }])
    isBroken = false
    expect(await control.jobs.retry(jobs[0]?.job_id ?? '')).toBe(true)
    await expect.poll(() => control.types(id).filter((type) => type === 'recording_completed')).toHaveLength(2)
    const mended = await control.service.get(id)
    expect(mended.recording).toMatchObject({ status: 'completed', error: null })
    expect(mended.recording.file_name).toMatch(/_high\.mp4$/)
    expect(mended.recording.files.map(({ kind, state }) => [kind, state])).toEqual([
      ['source', 'removed'],
      ['rendition', 'finalised'],
    ])
    expect(mended.jobs).toMatchObject([{ state: 'done' }])
    await expect.poll(() => control.manifests()).toEqual([await control.service.get(id)])
  })

  it('a job that is tried anew ends with the recording that is deleted meanwhile', async () => {
    const control = await rigged()
    const [started, aborted] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    let tries = 0
    control.jobs.work(
      (_, { signal }) => {
        if (++tries === 1) throw new UnsupportedError('no such encoder here')
        started.resolve()
        return new Promise((_, reject) => {
          signal.addEventListener('abort', () => {
            aborted.resolve()
            reject(signal.reason)
          })
        })
      },
      { concurrency: 1 },
    )
    const id = await recordedAs(control, { quality: 'high' })
    const { jobs } = await control.service.finished(id)
    await control.jobs.retry(jobs[0]?.job_id ?? '')
    await started.promise
    await control.service.remove(id)
    await aborted.promise
    expect(await control.paths()).toEqual([])
  })

  it('no ffmpeg: completed at once, and the error says so', async () => {
    const control = await rigged({ problem: { code: 'TD_FFMPEG_MISSING', message: 'cannot start ffmpeg' } })
    const id = await recordedAs(control, { quality: 'low', thumbnails: true })
    const { recording, jobs } = await control.service.finished(id)
    expect(recording).toMatchObject({ status: 'completed', error: { code: 'TD_FFMPEG_MISSING' } })
    expect(jobs).toEqual([])
    const plain = await recordedAsOf(control, 'bob')
    expect((await control.service.finished(plain)).recording.error).toBeNull()
  })

  it('thumbnails come after it is completed', async () => {
    const control = await rigged({ settings: withDefaults({ thumbnails: true }) })
    const id = await recordedAs(control, {})
    expect((await control.service.finished(id)).recording.status).toBe('completed')
    control.jobs.work(worker(control), { concurrency: 1 })
    const { data } = await control.event('thumbnails_generated', id)
    expect(data.files).toMatchObject([{ kind: 'thumbnail', path: 'thumbnails/thumb_000.jpg' }])
    await expect
      .poll(async () => (await control.service.get(id)).jobs)
      .toMatchObject([{ kind: 'thumbnails', state: 'done' }])
    expect(await control.manifests()).toEqual([await control.service.get(id)])
    await control.service.remove(id)
    expect(await control.paths()).toEqual([])
  })

  it('is cancelled together with the recording', async () => {
    const control = await rigged()
    const id = await recordedAs(control, { quality: 'low' })
    const started = Promise.withResolvers<void>()
    const aborted = Promise.withResolvers<void>()
    control.jobs.work(
      (_, { signal }) => {
        started.resolve()
        return new Promise((_, reject) => {
          signal.addEventListener('abort', () => {
            aborted.resolve()
            reject(signal.reason)
          })
        })
      },
      { concurrency: 1 },
    )
    await started.promise
    expect((await control.service.cancel(id)).recording).toMatchObject({ status: 'cancelled', files: [] })
    await aborted.promise
    expect(await control.paths()).toEqual([])
    expect(control.types(id).at(-1)).toBe('recording_cancelled')
  })

  it('whose result came while nobody listened is taken in at the next start', async () => {
    const control = await rigged()
    const id = await recordedAs(control, { quality: 'low' })
    await control.jobsBegun(id)
    await expect.poll(async () => (await control.jobs.depth()).waiting).toBe(1)
    await control.service.close({ deadlineMs: 1000 })
    control.jobs.work(worker(control), { concurrency: 1 })
    await expect.poll(async () => (await control.jobs.list({ states: ['done'], limit: 1 })).length).toBe(1)
    const left = await control.store.recordings.get(id)
    expect(left?.recording.status).toBe('processing')
    if (left === undefined) return
    // as a process that died left it
    await control.store.recordings.put({
      ...left,
      revision: left.revision + 1,
      owner: { node: 'here', pid: 2 ** 22 + 1 },
    })
    const next = await rigged({ store: control.store, after: control })
    const { recording } = await next.service.finished(id)
    expect(recording).toMatchObject({ status: 'completed', error: null })
    expect(recording.files.map(({ kind }) => kind)).toEqual(['source', 'rendition'])
    expect(await next.manifests()).toEqual([await next.service.get(id)])
  })
})

async function recordedAsOf(control: ControlRig, participant: string): Promise<string> {
  control.publish(participant)
  const { recording } = await control.service.start({ ...everybody, participants: [participant] })
  await control.service.stop(recording.recording_id)
  return recording.recording_id
}
