import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Recording, TapedeckClient } from '../../src/client/index.ts'
import { ApiServer } from '../peers/api-server.ts'
import { checkedFetch } from '../peers/checked-fetch.ts'
import { complaints, madeMedia, publish } from '../peers/ffmpeg.ts'
import { type RedisPeer, startRedis } from '../peers/redis.ts'
import { scratch } from '../peers/tapedeck.ts'
import { until } from '../peers/until.ts'

const media = () =>
  madeMedia(
    'api-jobs.flv',
    '-f lavfi -i testsrc2=size=320x180:rate=25:duration=3 -f lavfi -i sine=duration=3 -c:v libx264 -preset ultrafast -g 25 -c:a aac',
  )

/** An ffmpeg that does not begin to work as long as there is a file `hold`; `ffprobe` is the usual one. */
function patientFfmpeg(directory: string): { ffmpeg: string; hold: string } {
  mkdirSync(directory, { recursive: true })
  const [ffmpeg, hold] = [join(directory, 'ffmpeg'), join(directory, 'hold')]
  const wait = `case "$*" in *-progress*) while [ -e ${hold} ]; do sleep 0.05; done ;; esac`
  writeFileSync(ffmpeg, `#!/bin/sh\n${wait}\nexec /usr/bin/ffmpeg "$@"\n`, { mode: 0o700 })
  symlinkSync('/usr/bin/ffprobe', join(directory, 'ffprobe'))
  return { ffmpeg, hold }
}

/** Whether a program runs whose command line has `text` in it. */
function isRunning(text: string): boolean {
  return readdirSync('/proc').some((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(text)
    } catch {
      return false // ended meanwhile
    }
  })
}

describe.each(['sqlite', 'redis'] as const)('jobs over HTTP, state in %s', (store) => {
  const place = scratch(`api-jobs-${store}`)
  const { ffmpeg, hold } = patientFfmpeg(join(place.path, 'tools'))
  let redis: RedisPeer | undefined
  let server: ApiServer
  let client: TapedeckClient

  beforeAll(async () => {
    if (store === 'redis') redis = await startRedis()
    server = await ApiServer.start({ ffmpeg, ...(redis === undefined ? {} : { redis: redis.url }) })
    client = new TapedeckClient({ baseUrl: server.http, fetch: checkedFetch })
  })
  afterAll(async () => {
    await server.stop()
    await redis?.stop()
    place.drop()
  })

  /** Records what is pushed into `room`, to be made anew at a lower bitrate; resolves when its job is in the queue. */
  const begin = async (room: string) => {
    const wish = { participants: ['alice'], quality: '100k', reconnect_window_seconds: 0 }
    const { recording_id: id } = await client.startRecording(room, wish)
    await publish(await media(), `${server.rtmp}/${room}/alice`).ended
    const job = await until(`the job of ${room}`, async () => {
      return (await client.listJobs()).jobs.find(({ recording_id }) => recording_id === id)
    })
    return { id, jobId: job.job_id }
  }
  const inState = (jobId: string, state: string) =>
    until(`a ${state} job`, async () => {
      const { jobs } = await client.listJobs()
      return jobs.find((job) => job.job_id === jobId && job.state === state)
    })
  const completed = (id: string, hasError: boolean): Promise<Recording> =>
    until('the recording', async () => {
      const recording = await client.getRecording(id)
      return recording.status === 'completed' && (recording.error !== null) === hasError ? recording : undefined
    })
  const metric = async (state: string) => {
    const page = await (await fetch(`${server.http}/metrics`)).text()
    return Number(new RegExp(`^tapedeck_jobs\\{state="${state}"\\} (\\d+)$`, 'm').exec(page)?.[1])
  }

  it('one that runs is cancelled, one that is dead tried anew: ffmpeg ends, recordings and numbers follow', async () => {
    writeFileSync(hold, '')
    const [one, other] = [await begin('one'), await begin('other')]
    await inState(one.jobId, 'running')
    await until('ffmpeg', async () => isRunning(ffmpeg) || undefined)
    expect((await client.getRecordingStatus('one', one.id)).progress).toMatchObject({ stage: 'rendition' })
    expect((await client.listJobs()).depth).toMatchObject({ waiting: 1, running: 1, dead: 0 })
    expect([await metric('waiting'), await metric('running')]).toEqual([1, 1])
    await expect(client.retryJob(one.jobId)).rejects.toMatchObject({ status: 400, code: 'TD_JOB_STATE' })

    const source = (await client.getRecording(other.id)).local_path ?? ''
    renameSync(source, `${source}.aside`)
    symlinkSync('/etc/hostname', source) // leads outside: no try will do it
    expect((await client.cancelJob(one.jobId)).job_id).toBe(one.jobId)
    await inState(one.jobId, 'cancelled')
    const without = await completed(one.id, true)
    expect(without).toMatchObject({ error: { code: 'TD_JOB_CANCELLED' }, files: [{ kind: 'source' }] })
    expect(existsSync(without.local_path ?? '')).toBe(true)
    await until('the end of ffmpeg', async () => !isRunning(one.id.slice(0, 8)) || undefined)
    const directory = join(without.local_path ?? '', '..')
    await until('a directory without rests', async () => readdirSync(directory).length === 2 || undefined)

    rmSync(hold)
    const dead = await inState(other.jobId, 'dead')
    expect(dead).toMatchObject({ attempts: 1, error: { code: 'TD_PATH' } })
    expect(await completed(other.id, true)).toMatchObject({ error: { code: 'TD_PATH' }, files: [{ kind: 'source' }] })
    expect((await client.listJobs({ state: 'dead' })).depth.dead).toBe(1)
    expect(await metric('dead')).toBe(1)
    await expect(client.cancelJob(other.jobId)).rejects.toMatchObject({ status: 400, code: 'TD_JOB_STATE' })

    renameSync(`${source}.aside`, source)
    for (const { id, jobId } of [one, other]) {
      await client.retryJob(jobId)
      const whole = await completed(id, false)
      expect(whole.files.map(({ kind }) => kind)).toEqual(['source', 'rendition'])
      expect(whole.file_name).toMatch(/_100k\.mp4$/)
      expect(await complaints(whole.local_path ?? '')).toBe('')
      await inState(jobId, 'done')
    }
    expect((await client.listJobs()).depth).toEqual({ waiting: 0, running: 0, dead: 0 })
    expect(await metric('dead')).toBe(0)
  })

  it('pictures are listed, and come as what they are', async () => {
    const wish = { participants: ['alice'], thumbnails: true, reconnect_window_seconds: 0 }
    const { recording_id: id } = await client.startRecording('pictures', wish)
    await publish(await media(), `${server.rtmp}/pictures/alice`).ended
    const pictures = await until('pictures', async () => {
      const { thumbnails } = await client.listThumbnails(id)
      return thumbnails.length > 0 ? thumbnails : undefined
    })
    expect(pictures.map(({ kind }) => kind).sort()).toEqual(['sprite', ...Array(5).fill('thumbnail'), 'vtt'])
    for (const { file_id, kind } of pictures) {
      const response = await client.downloadFile(id, file_id)
      const bytes = Buffer.from(await response.arrayBuffer())
      const isText = kind === 'vtt'
      expect(response.headers.get('content-type')).toBe(isText ? 'text/vtt; charset=utf-8' : 'image/jpeg')
      expect(bytes.subarray(0, isText ? 6 : 3).toString('latin1')).toBe(isText ? 'WEBVTT' : '\xff\xd8\xff')
    }
    await client.deleteRecording(id)
    await expect(client.listThumbnails(id)).rejects.toMatchObject({ status: 404 })
  })
})
