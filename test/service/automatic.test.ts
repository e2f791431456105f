import { afterEach, describe, expect, it } from 'vitest'
import { serials, upTo, write } from '../recorder/rig.ts'
import { type ControlOptions, ControlRig } from './control-rig.ts'

const automatic = { format: 'mp4', quality: 'source', keepSource: true } as const
const running: ControlRig[] = []
async function rigged(options: ControlOptions = {}): Promise<ControlRig> {
  const control = await ControlRig.start({ ...options, settings: { automatic, ...options.settings } })
  running.push(control)
  return control
}
afterEach(async () => {
  for (const control of running.splice(0)) await control.stop()
})

async function only(control: ControlRig) {
  const { entries } = await control.service.list({ limit: 10 })
  expect(entries).toHaveLength(1)
  return entries[0]
}

describe('a recording made because everything is recorded', () => {
  it('lies flat, with its manifest beside its first file, and ends with its stream', async () => {
    const control = await rigged()
    const { stream, source } = control.publish()
    await expect.poll(() => control.paths()).toContain('/rec/demo_alice.recording.json')
    const live = await only(control)
    expect(live).toMatchObject({ automatic: true, recording: { status: 'recording', user_id: null, room_id: 'demo' } })
    write(stream, source.av(2000, 4000))
    stream.end('finished')
    const entry = await control.service.finished(live.recording.recording_id)
    expect(entry.recording).toMatchObject({ status: 'completed', error: null, local_path: '/rec/demo_alice.mp4' })
    expect(entry.recording.duration_seconds).toBeCloseTo(4, 1)
    expect(await control.paths()).toEqual(['/rec/demo_alice.mp4', '/rec/demo_alice.recording.json'])
    expect(await control.manifests()).toEqual([entry])
    expect(control.types(entry.recording.recording_id)).toEqual([
      'recording_started',
      'recording_stopped',
      'recording_processing',
      'recording_completed',
    ])
  })

  it('of a stream without media leaves nothing behind', async () => {
    const control = await rigged()
    const stream = control.rig.publish('mute', 'demo')
    stream.end('finished')
    await expect.poll(() => control.service.stats.failedByCode).toEqual({ TD_NOTHING_RECORDED: 1 })
    expect(await control.service.count({})).toBe(0)
    expect(await control.paths()).toEqual([])
    expect(control.types()).toEqual(['participant_joined', 'participant_left'])
  })

  it('goes over into further files, all of them in its manifest at the end', async () => {
    const control = await rigged({ recorder: { maxDurationMs: 1000 } })
    const { stream } = control.publish('alice', 'demo', 5000)
    await expect.poll(async () => (await control.service.list({ limit: 1 })).entries.length).toBe(1)
    stream.end('finished')
    const { recording } = await control.service.finished((await only(control)).recording.recording_id)
    expect(recording.files.map(({ part }) => part)).toEqual([1, 2, 3, 4, 5])
    expect((await control.manifests())[0].recording.files).toHaveLength(5)
  })

  it('that has as many files as it may goes on in the next one, and nothing is lost between them', async () => {
    const control = await rigged({ recorder: { maxDurationMs: 1000 }, maxFiles: 3 })
    const { stream, source } = control.publish()
    const asked = await control.service.start({ roomId: 'demo', userId: null, partDurationMs: 1000 })
    for (let second = 2; second < 12; second++) {
      write(stream, source.av(second * 1000, (second + 1) * 1000))
      await new Promise((resolve) => setImmediate(resolve)) // files are made beside it
    }
    stream.end('finished')
    const full = await control.service.finished(asked.recording.recording_id)
    expect(full.recording).toMatchObject({ status: 'completed', error: null, report: { stop_reason: 'max-files' } })
    await expect.poll(() => control.service.stats.active).toBe(0)
    const { entries } = await control.service.list({ limit: 100 })
    const automatic = entries.filter((entry) => entry.automatic)
    expect(automatic.length).toBeGreaterThan(2)
    for (const { recording } of automatic) {
      expect(recording).toMatchObject({ status: 'completed', error: null })
      expect(recording.files.length).toBeLessThanOrEqual(3)
    }
    const paths = automatic.flatMap(({ recording }) => recording.files.map(({ path }) => `/rec/${path}`))
    expect(new Set(paths).size).toBe(paths.length)
    const kept = new Set(serials(...(await Promise.all(paths.map((path) => control.rig.read(path))))))
    expect([...kept]).toEqual(upTo(source.count))
  })

  it('counts against no limit, and runs beside one that was asked for', async () => {
    const control = await rigged({ settings: { limits: { total: 1, perUser: undefined } } })
    const { stream } = control.publish()
    await expect.poll(() => control.paths()).toContain('/rec/demo_alice.recording.json')
    const { recording } = await control.service.start({ roomId: 'demo', userId: null })
    await expect(control.service.start({ roomId: 'demo', userId: null })).rejects.toMatchObject({
      code: 'TD_RECORDING_LIMIT',
    })
    stream.end('finished')
    await control.service.finished(recording.recording_id)
    const { entries } = await control.service.list({ limit: 10 })
    expect(entries.map((entry) => [entry.automatic, entry.recording.status]).sort()).toEqual([
      [false, 'completed'],
      [true, 'completed'],
    ])
  })

  it('can be stopped, paused, cancelled and deleted like any other', async () => {
    const control = await rigged()
    const { stream, source } = control.publish()
    await expect.poll(() => control.paths()).toContain('/rec/demo_alice.recording.json')
    const { recording_id: id } = (await only(control)).recording
    await control.service.pause(id)
    write(stream, source.av(2000, 4000))
    await control.service.resume(id)
    await control.service.stop(id)
    await control.service.finished(id)
    expect(stream.ended).toBeUndefined()
    await control.service.remove(id)
    expect(await control.paths()).toEqual([])
    const bob = control.publish('bob')
    await expect.poll(() => control.paths()).toContain('/rec/demo_bob.recording.json')
    await control.service.cancel((await only(control)).recording.recording_id)
    expect(await control.paths()).toEqual([])
    expect(bob.stream.ended).toBeUndefined()
  })

  it('is made in another quality, too, the source kept where it lies', async () => {
    const control = await rigged({ settings: { automatic: { ...automatic, quality: 'source*75%' } } })
    const { stream } = control.publish()
    await expect.poll(() => control.paths()).toContain('/rec/demo_alice.recording.json')
    stream.end('finished')
    await expect.poll(async () => (await control.jobs.list({ limit: 1 })).length).toBe(1)
    const [{ job }] = await control.jobs.list({ limit: 1 })
    expect(job).toMatchObject({
      kind: 'rendition',
      source: { path: 'demo_alice.mp4' },
      output: 'demo_alice_source75.mp4',
      quality: { source_percent: 75, audio_bitrate: 96_000 },
    })
  })
})
