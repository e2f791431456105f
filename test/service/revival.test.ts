import { basename } from 'node:path'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { ManifestStore } from '../../src/service/manifest.ts'
import type { CatalogueEntry } from '../../src/state/catalogue-entry.ts'
import type { RecordingObject } from '../../src/state/recording-object.ts'
import { write } from '../recorder/rig.ts'
import { deadPid, entryOf, fileOf, recordedBytes } from './catalogue-rig.ts'
import { type ControlOptions, ControlRig, withDefaults } from './control-rig.ts'

const ID = 'aaaaaaaa-1111-4111-8111-111111111111'
/** How long ago the recording began, ms. */
const AGE_MS = 60_000
const WINDOW_MS = 20_000
const automatic = { format: 'mp4', quality: 'source', keepSource: true } as const
const alice = { participant_id: 'alice', joined_at: null, left_at: null, is_connected: true, reconnects: 0 }

let dead = 0
let whole: Uint8Array
beforeAll(async () => {
  dead = await deadPid()
  whole = await recordedBytes('mp4', 4000)
})

const running: ControlRig[] = []
afterEach(async () => {
  for (const control of running.splice(0)) await control.stop()
})

interface Left {
  readonly entry?: Partial<CatalogueEntry>
  readonly recording?: Partial<RecordingObject>
  readonly options?: ControlOptions
  /** The state has not heard of it; the journal knows its file. */
  readonly isUnknown?: boolean
}

/** A service that is about to open on what a process left that was killed while it recorded `demo/alice`. */
async function left({ entry: facts, recording, options = {}, isUnknown = false }: Left = {}): Promise<ControlRig> {
  const isAutomatic = facts?.automatic ?? true
  const path = isAutomatic ? '/rec/demo_alice.mp4' : '/rec/demo_1/demo_alice.mp4'
  const manifestPath = isAutomatic ? '/rec/demo_alice.recording.json' : '/rec/demo_1/recording.json'
  const createdAt = new Date(Date.now() - AGE_MS).toISOString()
  const base = entryOf(ID, {
    status: 'recording',
    room: 'demo',
    createdAt,
    automatic: isAutomatic,
    manifestPath,
    owner: { node: 'here', pid: dead },
    files: [fileOf(basename(path), { participant_id: 'alice', offset_ms: 500 })],
    recording: { participants: [alice], ...recording },
  })
  const course = { zero_at: createdAt, paused_ms: 0, interruptions: [] }
  const entry: CatalogueEntry = { ...base, course, ...facts }
  const settings = { revivalWindowMs: WINDOW_MS, ...(isAutomatic ? { automatic } : {}), ...options.settings }
  const before = new ControlRig()
  const { storage, journal, logger } = before.rig
  await storage.replace(path, whole.subarray(0, Math.floor(whole.length * 0.6)))
  await new ManifestStore({ storage, recordDir: '/rec', logger }).write(entry)
  const part = { id: 'p', path, format: 'mp4', room: 'demo', participant: 'alice', startedAtMs: Date.now(), pid: dead }
  journal.opened(part)
  await Promise.all([before.jobs.close(), before.store.close()])
  const control = new ControlRig({ ...options, settings, after: before })
  if (!isUnknown) await control.store.recordings.put(entry)
  return control
}

async function opened(of: Left = {}): Promise<ControlRig> {
  const control = await reborn(await left(of))
  await control.service.reconciled()
  return control
}

async function reborn(control: ControlRig): Promise<ControlRig> {
  running.push(control)
  await control.rig.recorder.start()
  control.service.open()
  return control
}

const sources = ({ recording }: CatalogueEntry) =>
  recording.files.map(({ file_name, part, state }) => [file_name, part, state])

describe('a recording that a crash interrupted', () => {
  it('goes on with its participant in a next part, where the wall clock has it', async () => {
    const control = await opened()
    const before = await control.service.get(ID)
    expect(before).toMatchObject({ owner: { pid: process.pid }, recording: { status: 'recording' } })
    await control.event('recording_revived', ID)
    const { stream, source } = control.publish()
    write(stream, source.av(2000, 4000))
    await expect.poll(async () => (await control.service.get(ID)).recording.files.length).toBe(2)
    expect((await control.service.get(ID)).recording.participants).toMatchObject([
      { participant_id: 'alice', is_connected: true, reconnects: 1 },
    ])
    stream.end('finished')
    const entry = await control.service.finished(ID)
    expect(entry.recording).toMatchObject({ status: 'completed', error: null })
    expect(sources(entry)).toEqual([
      ['demo_alice.mp4', 1, 'repaired'],
      ['demo_alice_part2.mp4', 2, 'finalised'],
    ])
    const [first, second] = entry.recording.files
    expect(first).toMatchObject({ offset_ms: 500 })
    expect(Math.abs((second?.offset_ms ?? 0) - AGE_MS)).toBeLessThan(5000)
    expect(entry.recording.duration_seconds).toBeCloseTo((first?.duration_ms ?? 0) / 1000 + 4, 1)
    expect(entry.recording.report?.interruptions).toHaveLength(1)
    expect(await control.service.count({})).toBe(1)
    expect(await control.manifests()).toEqual([entry])
  })

  it.each([false, true])('is found by whoever is back at once (state had not heard of it: %s)', async (isUnknown) => {
    const control = await reborn(await left({ isUnknown }))
    const { stream } = control.publish()
    await control.service.reconciled()
    await expect.poll(async () => (await control.service.get(ID)).recording.files.length).toBe(2)
    stream.end('finished')
    expect((await control.service.finished(ID)).recording).toMatchObject({ status: 'completed', error: null })
    expect(await control.service.count({})).toBe(1)
  })

  it('ends as if it had ended then when nobody comes back', async () => {
    const control = await opened({ options: { settings: { revivalWindowMs: 300 } } })
    const { recording } = await control.service.finished(ID)
    expect(recording).toMatchObject({ status: 'completed', error: { code: 'TD_INTERRUPTED' } })
    expect(recording.participants).toMatchObject([{ is_connected: false, left_at: recording.stopped_at }])
    expect(Date.parse(recording.stopped_at ?? '')).toBeLessThan(Date.now() - AGE_MS + 5000)
    expect(control.types(ID)).toEqual([
      'recording_revived',
      'recording_stopped',
      'recording_processing',
      'recording_interrupted',
      'recording_completed',
    ])
  })

  it('that was asked for goes on for everybody in the room, until it is stopped', async () => {
    const control = await opened({ entry: { automatic: false }, options: { settings: { automatic: undefined } } })
    const bob = control.publish('bob')
    const back = control.publish('alice')
    await expect.poll(async () => (await control.service.get(ID)).recording.files.length).toBe(3)
    bob.stream.end('finished')
    back.stream.end('finished')
    const { recording } = await control.service.finished(ID)
    expect(recording.report).toMatchObject({ stop_reason: 'everybody-left' })
    expect(recording.participants.map(({ participant_id, reconnects }) => [participant_id, reconnects])).toEqual([
      ['alice', 1],
      ['bob', 0],
    ])
  })

  it('paused stays paused, and goes on when it is resumed; its limits count all of it', async () => {
    const pausedAt = new Date(Date.now() - 30_000).toISOString()
    const control = await opened({
      entry: { automatic: false },
      recording: { status: 'paused', paused_at: pausedAt },
      options: { settings: { automatic: undefined, ...withDefaults({ maxDurationMs: AGE_MS - 29_000 }) } },
    })
    control.publish()
    expect((await control.service.get(ID)).recording).toMatchObject({ status: 'paused', files: { length: 1 } })
    await control.service.resume(ID)
    const { recording, course } = await control.service.finished(ID)
    expect(recording).toMatchObject({ status: 'completed', error: null, report: { stop_reason: 'max-duration' } })
    expect(course?.paused_ms).toBeGreaterThan(29_000)
  })

  it('waits on for participants of whom none had come yet', async () => {
    const control = await opened({
      entry: {
        automatic: false,
        options: { format: 'auto', keep_source: true, thumbnails: false, participants: ['carol'] },
      },
      recording: { status: 'pending', participants: [], files: [], started_at: null },
      options: { settings: { automatic: undefined, revivalWindowMs: 100 } },
    })
    await control.event('recording_revived', ID)
    await new Promise((resolve) => setTimeout(resolve, 1500)) // longer than the window
    const { stream } = control.publish('carol')
    await expect.poll(async () => (await control.service.get(ID)).recording.status).toBe('recording')
    stream.end('finished')
    expect((await control.service.finished(ID)).recording).toMatchObject({ status: 'completed', error: null })
  })

  it.each<[string, Left, object]>([
    ['of another node is left alone', { entry: { owner: { node: 'there', pid: 1 } } }, { status: 'recording' }],
    [
      'ends where nothing is to go on',
      { options: { settings: { revivalWindowMs: 0 } } },
      { status: 'completed', error: { code: 'TD_INTERRUPTED' } },
    ],
    [
      'that an earlier start has waited for in vain ends',
      {
        entry: {
          course: {
            zero_at: new Date(Date.now() - AGE_MS).toISOString(),
            paused_ms: 0,
            interruptions: [
              {
                from: new Date(Date.now() - AGE_MS + 3000).toISOString(),
                to: new Date(Date.now() - WINDOW_MS - 1000).toISOString(),
              },
            ],
          },
        },
        recording: { participants: [{ ...alice, is_connected: false }] },
      },
      { status: 'completed', error: { code: 'TD_INTERRUPTED' } },
    ],
    ['that was stopped is completed', { recording: { status: 'processing' } }, { status: 'completed', error: null }],
  ])('%s', async (_, of, expected) => {
    const control = await opened(of)
    const { recording } = await control.service.get(ID)
    expect(recording).toMatchObject(expected)
    expect(control.types(ID)).not.toContain('recording_revived')
  })
})
