import { afterEach, describe, expect, it } from 'vitest'
import { LIVE_STATUSES } from '../../src/state/recording-object.ts'
import { SqliteStateStore } from '../../src/state/sqlite/store.ts'
import { upTo, write } from '../recorder/rig.ts'
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

describe('a recording of a room', () => {
  it('is begun, kept and completed; manifest, catalogue and events say the same', async () => {
    const control = await rigged()
    const { service } = control
    const { stream, source } = control.publish()
    const started = await service.start({ ...everybody, metadata: { title: 'x' } })
    const { recording_id: id } = started.recording
    expect(started.recording).toMatchObject({ room_id: 'demo', user_id: 'ann', metadata: { title: 'x' }, error: null })
    write(stream, source.av(2000, 4000))
    const stopped = await service.stop(id)
    expect(['processing', 'completed']).toContain(stopped.recording.status)
    const entry = await service.finished(id)
    expect(entry).toMatchObject({ owner: null, automatic: false, hold: false })
    expect(entry.recording).toMatchObject({ status: 'completed', format: 'mp4', error: null, progress: null })
    expect(entry.recording.duration_seconds).toBeCloseTo(3, 1) // from the last keyframe before it was asked for
    const [file] = entry.recording.files
    expect(file).toMatchObject({ kind: 'source', participant_id: 'alice', part: 1, state: 'finalised', format: 'mp4' })
    expect(entry.recording.local_path).toBe(await service.filePath(id, file.file_id))
    expect(entry.recording.participants).toMatchObject([
      { participant_id: 'alice', is_connected: false, reconnects: 0 },
    ])
    expect(entry.recording.report).toMatchObject({ stop_reason: 'requested' })
    const content = await control.rig.read(entry.recording.local_path ?? '')
    expect(content).toMatchObject({ finalised: true, faults: [] })
    expect(entry.recording.file_size_bytes).toBe(control.rig.storage.bytesOf(entry.recording.local_path ?? '').length)
    expect(await service.get(id)).toEqual(entry)
    await expect.poll(() => control.store.recordings.get(id)).toEqual(entry)
    expect(await control.manifests()).toEqual([entry])
    expect(control.types(id)).toEqual([
      'recording_started',
      'recording_stopped',
      'recording_processing',
      'recording_completed',
    ])
    expect(control.events.find(({ type }) => type === 'recording_stopped')?.data).toMatchObject({
      recording_id: id,
      room_id: 'demo',
      user_id: 'ann',
      status: 'processing',
      reason: 'requested',
      duration_seconds: expect.any(Number),
      file_size_bytes: expect.any(Number),
    })
    expect(service.stats).toMatchObject({ active: 0, created: 1, completed: 1, failed: 0 })
  })

  it('leaves out a pause without a hole, and shows it on its clock', async () => {
    const control = await rigged()
    const { service } = control
    const { stream, source } = control.publish()
    const { recording } = await service.start(everybody)
    const id = recording.recording_id
    write(stream, source.av(2000, 4000))
    expect((await service.pause(id)).recording).toMatchObject({ status: 'paused', paused_at: expect.any(String) })
    write(stream, source.av(4000, 7000))
    expect((await service.resume(id)).recording).toMatchObject({ status: 'recording', resumed_at: expect.any(String) })
    write(stream, source.av(7000, 9000))
    await service.stop(id)
    const entry = await service.finished(id)
    expect(entry.recording.duration_seconds).toBeCloseTo(5, 1)
    const { samples, faults } = await control.rig.read(entry.recording.local_path ?? '')
    expect(faults).toEqual([])
    const video = samples.filter(({ kind }) => kind === 'video').map(({ dtsMs }) => dtsMs)
    const steps = video.slice(1).map((ms, i) => ms - video[i])
    expect(steps.filter((ms) => ms < 40 || ms > 60)).toEqual([]) // picture and sound go on together where both had ended
    expect(steps.filter((ms) => ms !== 40).length).toBeLessThanOrEqual(1)
    expect(control.types(id)).toEqual([
      'recording_started',
      'recording_paused',
      'recording_resumed',
      'recording_stopped',
      'recording_processing',
      'recording_completed',
    ])
  })

  it('takes in who comes later, each with a file of its own; during a pause, after it', async () => {
    const control = await rigged()
    const { service } = control
    control.publish('alice')
    const { recording } = await service.start(everybody)
    const id = recording.recording_id
    control.publish('bob')
    await service.pause(id)
    const late = control.publish('carol')
    expect(service.rooms()).toMatchObject([
      {
        roomId: 'demo',
        recordings: [id],
        participants: [
          { participantId: 'alice', recordings: [id] },
          { participantId: 'bob', recordings: [id] },
          { participantId: 'carol', recordings: [] },
        ],
      },
    ])
    await service.resume(id)
    write(late.stream, late.source.av(2000, 4000))
    control.publish('elsewhere', 'other')
    await service.stop(id)
    const { files, participants } = (await service.finished(id)).recording
    expect(files.map(({ participant_id }) => participant_id)).toEqual(['alice', 'bob', 'carol'])
    expect(new Set(files.map(({ path }) => path)).size).toBe(3)
    expect(participants).toHaveLength(3)
  })

  it('waits for those who are named, and for nobody else', async () => {
    const control = await rigged()
    const { service } = control
    await expect(service.start(everybody)).rejects.toMatchObject({ code: 'TD_ROOM_UNKNOWN' })
    const { recording } = await service.start({ ...everybody, participants: ['bob'] })
    expect(recording.status).toBe('pending')
    control.publish('alice')
    expect((await service.get(recording.recording_id)).recording.status).toBe('pending')
    control.publish('bob')
    await control.event('recording_started', recording.recording_id)
    await service.stop(recording.recording_id)
    const { files } = (await service.finished(recording.recording_id)).recording
    expect(files.map(({ participant_id }) => participant_id)).toEqual(['bob'])
  })

  it('stops by itself when everybody has gone', async () => {
    const control = await rigged()
    const [alice, bob] = [control.publish('alice'), control.publish('bob')]
    const { recording } = await control.service.start(everybody)
    alice.stream.end('finished')
    expect((await control.service.get(recording.recording_id)).recording.status).toBe('recording')
    bob.stream.end('lost')
    const entry = await control.service.finished(recording.recording_id)
    expect(entry.recording).toMatchObject({ status: 'completed', error: null })
    expect(entry.recording.report).toMatchObject({ stop_reason: 'everybody-left' })
  })

  it('goes on in the same file with who returns within the window', async () => {
    const control = await rigged()
    const first = control.publish('alice')
    const { recording } = await control.service.start({ ...everybody, reconnectWindowMs: 60_000 })
    const id = recording.recording_id
    first.stream.end('lost')
    expect((await control.service.get(id)).recording.participants).toMatchObject([{ is_connected: false }])
    control.publish('alice')
    expect((await control.service.get(id)).recording.participants).toMatchObject([
      { is_connected: true, reconnects: 1 },
    ])
    await control.service.stop(id)
    expect((await control.service.finished(id)).recording.files).toHaveLength(1)
  })

  it('fails when there was nothing to keep, says why, and leaves nothing on disk', async () => {
    const control = await rigged()
    control.rig.publish('mute', 'demo')
    const { recording } = await control.service.start(everybody)
    await control.service.stop(recording.recording_id)
    const entry = await control.service.finished(recording.recording_id)
    expect(entry.recording).toMatchObject({
      status: 'failed',
      error: { code: 'TD_NOTHING_RECORDED', unmet: 'tracks_published' },
      files: [],
    })
    expect(await control.paths()).toEqual([])
    expect(control.types(recording.recording_id)).toEqual([
      'recording_stopped',
      'recording_processing',
      'recording_failed',
    ])
    expect(control.service.stats.failedByCode).toEqual({ TD_NOTHING_RECORDED: 1 })
    const waiting = await control.service.start({ ...everybody, participants: ['nobody'], maxDurationMs: 10 })
    const nobody = await control.service.finished(waiting.recording.recording_id)
    expect(nobody.recording).toMatchObject({ status: 'failed', error: { code: 'TD_NOBODY_CAME', unmet: 'connected' } })
  })
})

describe('limits', () => {
  it('hold under 200 simultaneous starts, of all and of one user', async () => {
    const control = await rigged({ settings: { limits: { total: 10, perUser: 4 } } })
    control.publish()
    const starts = await Promise.allSettled(
      upTo(200).map((i) => control.service.start({ roomId: 'demo', userId: i % 2 === 0 ? 'ann' : `user-${i}` })),
    )
    const refused = starts.filter((start) => start.status === 'rejected')
    expect(starts.length - refused.length).toBe(10)
    for (const { reason } of refused) expect(reason.code).toBe('TD_RECORDING_LIMIT')
    const { entries } = await control.service.list({ limit: 1000, statuses: LIVE_STATUSES })
    expect(entries).toHaveLength(10)
    expect(entries.filter(({ recording }) => recording.user_id === 'ann').length).toBeLessThanOrEqual(4)
    await control.service.cancel(entries[0].recording.recording_id)
    await control.service.start({ roomId: 'demo', userId: 'zoe' })
  })

  it('hold while the state is away, and the state catches up', async () => {
    const store = new SqliteStateStore(':memory:', { debug() {}, info() {}, warn() {}, error() {} })
    const control = await rigged({ store, settings: { limits: { total: 3, perUser: undefined } } })
    control.publish()
    const first = await control.service.start(everybody)
    await store.close() // every call fails from now on
    const starts = await Promise.allSettled(upTo(20).map(() => control.service.start(everybody)))
    expect(starts.filter(({ status }) => status === 'fulfilled')).toHaveLength(2)
    expect((await control.service.pause(first.recording.recording_id)).recording.status).toBe('paused')
    expect(control.service.backlog).toBeGreaterThan(0)
    const manifests = await control.manifests()
    expect(manifests.map(({ recording }) => recording.status).sort()).toEqual(['paused', 'recording', 'recording'])
    await expect(control.service.get('unknown')).rejects.toMatchObject({ code: 'TD_STATE_AWAY' })
  })

  it('a cancelled one is remembered by its manifest where the state cannot be told', async () => {
    const store = new SqliteStateStore(':memory:', { debug() {}, info() {}, warn() {}, error() {} })
    const control = await rigged({ store })
    control.publish()
    const { recording } = await control.service.start(everybody)
    await store.close()
    const cancelled = await control.service.cancel(recording.recording_id)
    expect(cancelled.recording).toMatchObject({ status: 'cancelled', files: [] })
    const [manifest, ...others] = await control.manifests()
    expect([manifest.recording.status, manifest.manifest_path, others]).toEqual([
      'cancelled',
      cancelled.manifest_path,
      [],
    ])
    expect(await control.paths()).toEqual([manifest.manifest_path])
  })

  it.each([
    ['max-duration', { maxDurationMs: 5000 }],
    ['max-size', { maxSizeBytes: 10_000 }],
  ])('%s: a clean stop, no error', async (reason, limit) => {
    const control = await rigged()
    const { stream, source } = control.publish()
    const { recording } = await control.service.start({ ...everybody, ...limit })
    write(stream, source.av(2000, 9000))
    const entry = await control.service.finished(recording.recording_id)
    expect(entry.recording).toMatchObject({ status: 'completed', error: null, report: { stop_reason: reason } })
  })

  it('refuses what the disk would not hold', async () => {
    const control = await rigged({ settings: { minFreeBytes: 0, reserveMs: 3_600_000 } })
    control.rig.storage.capacityBytes = 1_000_000
    await control.rig.recorder.recovered()
    control.publish()
    await expect
      .poll(() =>
        control.service
          .start(everybody)
          .then(({ recording }) => control.service.cancel(recording.recording_id))
          .then(
            () => 'taken',
            ({ code }) => code,
          ),
      )
      .toBe('TD_DISK_FORECAST')
    expect(await control.service.count({})).toBeGreaterThanOrEqual(0)
  })

  it('of requests are checked', async () => {
    const control = await rigged({ settings: withDefaults({ maxDurationMs: 1000 }) })
    control.publish()
    const refuse = (request: object) => expect(control.service.start({ ...everybody, ...request })).rejects
    await refuse({ metadata: { text: 'x'.repeat(16_400) } }).toMatchObject({
      code: 'TD_RECORDING_REQUEST',
      field: 'metadata',
    })
    await refuse({ metadata: { big: 1n } }).toMatchObject({ field: 'metadata' })
    await refuse({ maxDurationMs: -1 }).toMatchObject({ field: 'maxDurationMs' })
    await refuse({ maxSizeBytes: Number.NaN }).toMatchObject({ field: 'maxSizeBytes' })
    await refuse({ reconnectWindowMs: 1e12 }).toMatchObject({ field: 'reconnectWindowMs' })
    await refuse({ participants: upTo(2000).map(String) }).toMatchObject({ field: 'participants' })
    await refuse({ participants: [''] }).toMatchObject({ code: 'TD_BAD_NAME' })
    await refuse({ roomId: 'a\nb' }).toMatchObject({ code: 'TD_BAD_NAME' })
    await refuse({ userId: 'u'.repeat(300) }).toMatchObject({ field: 'user' })
    await refuse({ quality: 'best' }).toMatchObject({ code: 'TD_QUALITY' })
    await refuse({ format: 'avi' }).toMatchObject({ field: 'format' })
    expect(await control.paths()).toEqual([])
    expect(await control.service.count({})).toBe(0)
  })
})

describe('moves', () => {
  const acts = ['stop', 'pause', 'resume', 'cancel'] as const
  const legal: Readonly<Record<string, readonly string[]>> = {
    pending: ['stop', 'cancel'],
    recording: ['stop', 'pause', 'cancel'],
    paused: ['stop', 'resume', 'cancel'],
    completed: [],
    failed: [],
    cancelled: [],
  }
  async function brought(control: ControlRig, status: string): Promise<string> {
    if (status !== 'pending' && status !== 'failed') control.publish('bob')
    const { recording } = await control.service.start({ ...everybody, participants: ['bob'] })
    const id = recording.recording_id
    if (status === 'paused') await control.service.pause(id)
    if (status === 'completed' || status === 'failed') await control.service.stop(id)
    if (status === 'cancelled') await control.service.cancel(id)
    if (status === 'completed' || status === 'failed') await control.service.finished(id)
    return id
  }

  it.each(Object.keys(legal).flatMap((status) => acts.map((act) => [status, act] as const)))(
    'a recording that is %s: %s',
    async (status, act) => {
      const control = await rigged()
      const id = await brought(control, status)
      const before = await control.service.get(id)
      expect(before.recording.status).toBe(status)
      if (legal[status].includes(act)) await control.service[act](id)
      else {
        await expect(control.service[act](id)).rejects.toMatchObject({ code: 'TD_ILLEGAL_MOVE' })
        expect((await control.service.get(id)).recording.status).toBe(status)
      }
    },
  )

  it('of a recording that there is not, or that is run elsewhere', async () => {
    const control = await rigged()
    await expect(control.service.stop('none')).rejects.toMatchObject({ code: 'TD_RECORDING_MISSING' })
    const { stream } = control.publish()
    const { recording } = await control.service.start(everybody)
    const entry = await control.service.get(recording.recording_id)
    const other = {
      ...entry,
      recording: { ...entry.recording, recording_id: 'other' },
      owner: { node: 'there', pid: 1 },
    }
    await control.store.recordings.put(other)
    await expect(control.service.stop('other')).rejects.toMatchObject({ code: 'TD_RECORDING_ELSEWHERE', node: 'there' })
    await expect(control.service.hold('other', true)).rejects.toMatchObject({ code: 'TD_RECORDING_ELSEWHERE' })
    stream.end('finished')
  })
})

describe('cancelling', () => {
  it.each(['pending', 'recording', 'paused'])('what is %s leaves nothing on disk', async (status) => {
    const control = await rigged({ recorder: { report: true } })
    const { service } = control
    const { stream, source } = control.publish(status === 'pending' ? 'other' : 'bob')
    const { recording } = await service.start({ ...everybody, participants: ['bob'] })
    if (status === 'paused') await service.pause(recording.recording_id)
    write(stream, source.av(2000, 4000))
    expect(await control.paths()).not.toEqual([])
    const cancelled = await service.cancel(recording.recording_id)
    expect(cancelled.recording).toMatchObject({ status: 'cancelled', files: [], local_path: null })
    expect(cancelled.manifest_path).toBeNull()
    expect(await control.paths()).toEqual([])
    write(stream, source.av(4000, 6000))
    expect(await control.paths()).toEqual([])
    expect((await service.get(recording.recording_id)).recording.status).toBe('cancelled')
    expect(control.types(recording.recording_id).at(-1)).toBe('recording_cancelled')
    expect(stream.ended).toBeUndefined()
  })
})

describe('what else can be done with a recording', () => {
  it('marks, while it is live by its clock, later by a time within it', async () => {
    const control = await rigged()
    control.publish()
    const { recording } = await control.service.start(everybody)
    const id = recording.recording_id
    const live = await control.service.mark(id, 'goal')
    expect(live.at_ms).toBeLessThan(10_000)
    expect(control.events.find(({ type }) => type === 'marker_added')?.data).toMatchObject({ label: 'goal' })
    await control.service.mark(id, 'kick-off', 0)
    await control.service.stop(id)
    const { local_path } = (await control.service.finished(id)).recording
    expect(Buffer.from(control.rig.storage.bytesOf(local_path ?? '')).includes('kick-off'), 'a chapter').toBe(true)
    await control.service.mark(id, 'begin', 0)
    await expect(control.service.mark(id, 'when?')).rejects.toMatchObject({ field: 'at_ms' })
    await expect(control.service.mark(id, 'after', 1e9)).rejects.toMatchObject({ field: 'at_ms' })
    await expect(control.service.mark(id, '', 0)).rejects.toMatchObject({ field: 'label' })
    const entry = await control.service.get(id)
    expect(entry.markers.map(({ label }) => label)).toEqual(['goal', 'kick-off', 'begin'])
    expect(await control.manifests()).toEqual([entry])
  })

  it('deletes it with everything, but not while it is live or on hold', async () => {
    const control = await rigged()
    const { service } = control
    control.publish()
    const { recording } = await service.start(everybody)
    const id = recording.recording_id
    await expect(service.remove(id)).rejects.toMatchObject({ code: 'TD_RECORDING_LIVE' })
    await service.stop(id)
    const { recording: done } = await service.finished(id)
    await service.hold(id, true)
    await expect(service.remove(id)).rejects.toMatchObject({ code: 'TD_HELD' })
    expect(await service.cleanUp(-1)).toBe(0)
    await service.hold(id, false)
    await expect(service.filePath(id, 'none')).rejects.toMatchObject({ code: 'TD_FILE_UNKNOWN' })
    expect(await service.filePath(id, done.files[0].file_id)).toMatch(/^\/rec\/demo_/)
    await service.remove(id)
    expect(await control.paths()).toEqual([])
    await expect(service.get(id)).rejects.toMatchObject({ code: 'TD_RECORDING_MISSING' })
    expect(control.types(id).at(-1)).toBe('recording_deleted')
  })

  it('deletes it once, for good, while it is being cancelled', async () => {
    const control = await rigged()
    const { service } = control
    control.publish()
    const { recording } = await service.start(everybody)
    const id = recording.recording_id
    const cancelled = service.cancel(id)
    await control.event('recording_cancelled', id) // files and manifest go now
    const [first, second] = await Promise.allSettled([service.remove(id), service.remove(id), cancelled])
    expect([first.status, second]).toMatchObject(['fulfilled', { reason: { code: 'TD_RECORDING_MISSING' } }])
    await expect(service.get(id)).rejects.toMatchObject({ code: 'TD_RECORDING_MISSING' })
    expect((await service.list({ limit: 10 })).entries).toEqual([])
    expect(control.types(id).slice(-2)).toEqual(['recording_cancelled', 'recording_deleted'])
    expect(await control.paths()).toEqual([])
  })

  it('deletes one that kept nothing, and whose manifest could not be removed at its end', async () => {
    const control = await rigged()
    const { service } = control
    const { storage } = control.rig
    const { recording } = await service.start({ ...everybody, participants: ['nobody'] })
    const id = recording.recording_id
    const remove = storage.remove.bind(storage)
    storage.remove = () => Promise.reject(new Error('no'))
    await service.stop(id)
    expect((await service.finished(id)).recording.status).toBe('failed')
    storage.remove = remove
    await service.remove(id)
    await expect(service.get(id)).rejects.toMatchObject({ code: 'TD_RECORDING_MISSING' })
    expect(await control.paths()).toEqual([])
  })

  it('cleans up what ended long ago', async () => {
    const control = await rigged()
    control.publish()
    const ids = await Promise.all(
      upTo(3).map(async () => (await control.service.start(everybody)).recording.recording_id),
    )
    await control.service.stop(ids[0])
    await control.service.finished(ids[0])
    await control.service.cancel(ids[1])
    expect(await control.service.cleanUp(60_000)).toBe(0)
    expect(await control.service.cleanUp(-1000)).toBe(2)
    expect((await control.service.list({ limit: 10 })).entries.map(({ recording }) => recording.recording_id)).toEqual([
      ids[2],
    ])
  })

  it('disconnects who publishes', async () => {
    const control = await rigged()
    const { stream } = control.publish()
    expect(control.service.disconnect('demo', 'nobody')).toBe(false)
    expect(control.service.disconnect('demo', 'alice')).toBe(true)
    expect(stream.ended).toBe('kicked')
    expect(control.types()).toEqual(['participant_joined', 'track_added', 'track_added', 'participant_left'])
  })

  it('tells what this server can still take', async () => {
    const control = await rigged()
    control.publish()
    await control.service.start(everybody)
    expect(await control.service.capacity()).toMatchObject({
      activeRecordings: 1,
      maxRecordings: 10,
      streams: 1,
      isDiskLow: false,
    })
  })
})

describe('when the service ends', () => {
  it('recordings are finished, in manifest and state alike', async () => {
    const store = new SqliteStateStore(':memory:', { debug() {}, info() {}, warn() {}, error() {} })
    const control = await ControlRig.start({ store })
    control.publish()
    const { recording } = await control.service.start(everybody)
    control.rig.hub.close()
    await Promise.all([control.service.close({ deadlineMs: 5000 }), control.rig.recorder.stop({ deadlineMs: 5000 })])
    const entry = await store.recordings.get(recording.recording_id)
    expect(entry?.recording).toMatchObject({ status: 'completed', report: { stop_reason: 'shutdown' } })
    expect(await control.manifests()).toEqual([entry])
    await expect(control.service.start(everybody)).rejects.toMatchObject({ code: 'TD_STOPPING' })
    await control.jobs.close()
    await store.close()
  })
})
