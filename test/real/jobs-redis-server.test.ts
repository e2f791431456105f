import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { recordingObjectSchema } from '../../src/state/recording-object.ts'
import { CliProcess } from '../peers/cli.ts'
import { complaints, madeMedia, publish } from '../peers/ffmpeg.ts'
import { type RedisPeer, startRedis } from '../peers/redis.ts'
import { scratch, TapedeckProcess } from '../peers/tapedeck.ts'
import { until } from '../peers/until.ts'

// a server that leaves all work to a worker: what it asks for is done elsewhere, and it learns of it
describe('a server without jobs of its own, and a worker', () => {
  const directory = scratch('server-worker')
  let redis: RedisPeer
  let server: TapedeckProcess
  const workers: CliProcess[] = []

  beforeAll(async () => {
    redis = await startRedis()
    server = await TapedeckProcess.start(directory.path, '--redis', redis.url, '--job-concurrency', '0')
  })
  afterAll(async () => {
    for (const worker of workers) worker.signal('SIGKILL')
    await Promise.all(workers.map((worker) => worker.ended))
    await TapedeckProcess.endAll()
    await redis.stop()
    directory.drop()
  })

  const begin = async (): Promise<CliProcess> => {
    const places = ['--record-dir', server.recordings, '--data-dir', join(directory.path, 'worker')]
    const worker = new CliProcess(['worker', '--redis', redis.url, ...places], { cwd: directory.path })
    workers.push(worker)
    await worker.says(/Ctrl-C puts back/)
    return worker
  }
  const call = async (method: string, path: string): Promise<unknown> => {
    const response = await fetch(`${server.http}/api${path}`, { method })
    const body: unknown = await response.json()
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(body)}`)
    return body
  }
  const idOf = (body: unknown): string => {
    const id = typeof body === 'object' && body !== null && 'recording_id' in body ? body.recording_id : undefined
    if (typeof id !== 'string') throw new Error(`no recording: ${JSON.stringify(body)}`)
    return id
  }

  it('make a recording complete, also when the worker is killed and the server restarted', async () => {
    const media = await madeMedia(
      'jobs-720p.mp4',
      '-f lavfi -i testsrc2=size=1280x720:rate=30:duration=30 -f lavfi -i sine=duration=30 -c:v libx264 -preset ultrafast -g 30 -c:a aac',
    )
    const publisher = publish(media, `${server.rtmp}/show/alice`)
    await until('a publisher', async () => JSON.stringify(await call('GET', '/rooms')).includes('alice') || undefined)
    const id = idOf(await call('POST', '/rooms/show/recording/start?quality=low&recording_format=mp4'))
    const status = async () =>
      recordingObjectSchema.loose().parse(await call('GET', `/rooms/show/recording/${id}/status`))
    await until('some seconds', async () => ((await status()).duration_seconds > 4 ? true : undefined))
    await call('POST', `/rooms/show/recording/${id}/stop`)
    await until('processing', async () => ((await status()).progress?.stage === 'rendition' ? true : undefined))

    const first = await begin()
    await until('progress', async () => ((await status()).progress?.percent ? true : undefined))
    first.signal('SIGKILL')
    await server.end()
    await begin()
    await server.start()
    const done = await until('its end', async () => {
      const now = await status()
      return now.status === 'completed' ? now : undefined
    })
    expect(done.error).toBeNull()
    expect(done.files.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['source', 'rendition']))
    expect(done.local_path).not.toBeNull()
    expect(existsSync(done.local_path ?? '')).toBe(true)
    expect(await complaints(done.local_path ?? '')).toBe('')
    publisher.end()
    await publisher.ended
  })
})
