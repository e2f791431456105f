import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, describe, expect, it } from 'vitest'
import { avcParameterSets, parseAvcC } from '../../src/codec/h264/avcc.ts'
import { sampleToAnnexB } from '../../src/codec/nal.ts'
import { IllegalMoveError, type ParticipantFeed, RecordingEngine } from '../../src/index.ts'
import { complaints, packetsOf } from '../peers/ffmpeg.ts'
import { type Elementary, elementary } from '../peers/samples.ts'
import { scratch } from '../peers/tapedeck.ts'

const place = scratch('engine')
afterAll(() => place.drop())
let engines = 0

async function open(options: Parameters<typeof RecordingEngine.open>[0] = {}) {
  const directory = join(place.path, String(++engines))
  const places = { recordDir: join(directory, 'files'), dataDir: join(directory, 'data') }
  const engine = await RecordingEngine.open({ ...places, thumbnails: false, ...options })
  const told: string[] = []
  for (const name of [
    'recordingStarted',
    'recordingPaused',
    'recordingResumed',
    'recordingStopped',
    'recordingProcessing',
    'recordingCompleted',
    'recordingCancelled',
    'recordingFailed',
    'thumbnailsGenerated',
  ] as const) {
    engine.on(name, () => told.push(name))
  }
  return { engine, told, recordDir: places.recordDir }
}

/** Feeds `seconds` of H.264 (start codes) and AAC in real time, as an encoder at hand would. */
async function feed(participant: ParticipantFeed, video: Elementary, audio: Elementary): Promise<void> {
  const sets = sampleToAnnexB(avcParameterSets(parseAvcC(video.config)), 4)
  const all = [
    ...video.samples.map((sample) => ({ ...sample, kind: 'video' as const })),
    ...audio.samples.map((sample) => ({ ...sample, kind: 'audio' as const })),
  ].sort((a, b) => a.dtsMs - b.dtsMs)
  const beganAt = performance.now()
  for (const { kind, dtsMs, ptsMs, key, data } of all) {
    const early = dtsMs - (performance.now() - beganAt)
    if (early > 5) await delay(early)
    if (kind === 'audio') participant.writeAudio(data, { ptsMs })
    else {
      const unit = sampleToAnnexB(data, 4)
      participant.writeVideo(key ? Buffer.concat([sets, unit]) : unit, { ptsMs, dtsMs })
    }
  }
}

const media = async () => [await elementary('h264'), await elementary('aac')] as const
const options = (audio: Elementary) =>
  ({ video: { codec: 'h264' }, audio: { codec: 'aac', config: audio.config } }) as const

describe('RecordingEngine', () => {
  it('records what a program hands over, packet by packet, and tells what happens', async () => {
    const [video, audio] = await media()
    const { engine, told } = await open()
    const alice = engine.participant('standup', 'alice', options(audio))
    const bob = engine.participant('standup', 'bob', options(audio))
    const started = await engine.startRecording('standup', { userId: 'u1', metadata: { lesson: 7 } })
    expect(started).toMatchObject({ room_id: 'standup', user_id: 'u1', metadata: { lesson: 7 }, format: 'auto' })
    const id = started.recording_id
    await Promise.all([feed(alice, video, audio), feed(bob, video, audio)])
    alice.end()
    bob.end()
    expect((await engine.stopRecording(id)).status).toMatch(/processing|completed/)
    const done = await engine.finished(id)
    expect(done).toMatchObject({ status: 'completed', error: null, format: 'mp4' })
    expect(done.files.map(({ participant_id }) => participant_id).sort()).toEqual(['alice', 'bob'])
    const sent = (await packetsOf(video.path)).filter(({ type }) => type === 'video').map(({ hash }) => hash)
    for (const { path } of done.files) {
      const file = join(done.local_path ?? '', '..', path)
      expect(await complaints(file)).toBe('')
      const kept = (await packetsOf(file)).filter(({ type }) => type === 'video').map(({ hash }) => hash)
      expect(kept).toEqual(sent)
    }
    expect(await engine.getRoomRecordings('standup')).toMatchObject([{ recording_id: id }])
    expect(await engine.getUserRecordings('u1')).toMatchObject([{ recording_id: id }])
    expect(await engine.getUserRecordings('u2')).toEqual([])
    await engine.close()
    expect(told).toEqual(['recordingStarted', 'recordingStopped', 'recordingProcessing', 'recordingCompleted'])
  })

  it('pauses, resumes, cancels, deletes, cleans up; what a status does not allow is an error', async () => {
    const [video, audio] = await media()
    const { engine, told, recordDir } = await open()
    const alice = engine.participant('r', 'alice', options(audio))
    const first = await engine.startRecording('r')
    const second = await engine.startRecording('r', { format: 'mkv' })
    await feed(alice, video, audio)
    expect((await engine.pauseRecording(first.recording_id)).status).toBe('paused')
    await expect(engine.pauseRecording(first.recording_id)).rejects.toThrow(IllegalMoveError)
    expect((await engine.resumeRecording(first.recording_id)).status).toBe('recording')
    const cancelled = await engine.getRecordingInfo(second.recording_id)
    expect(cancelled?.file_name).toMatch(/\.mkv$/)
    await engine.cancelRecording(second.recording_id)
    expect(existsSync(cancelled?.local_path ?? '')).toBe(false)
    await expect(engine.stopRecording(second.recording_id)).rejects.toThrow(IllegalMoveError)
    await engine.stopRecording(first.recording_id)
    await engine.finished(first.recording_id)
    expect(readdirSync(recordDir)).toHaveLength(1)
    expect(await engine.cleanupOldRecordings(3_600_000)).toBe(0)
    await engine.deleteRecording(first.recording_id)
    expect(readdirSync(recordDir)).toEqual([])
    expect(await engine.getRecordingInfo(first.recording_id)).toBeUndefined()
    await engine.close()
    expect(told).toContain('recordingCancelled')
    expect(told.filter((name) => name === 'recordingPaused' || name === 'recordingResumed')).toEqual([
      'recordingPaused',
      'recordingResumed',
    ])
  })

  it('makes thumbnails and renditions afterwards', async () => {
    const [video, audio] = await media()
    const { engine, told } = await open({ thumbnails: true })
    const alice = engine.participant('r', 'alice', options(audio))
    const { recording_id: id } = await engine.startRecording('r', { format: 'webm' })
    await feed(alice, video, audio)
    const thumbnails = new Promise((resolve) => engine.once('thumbnailsGenerated', resolve))
    await engine.stopRecording(id)
    const done = await engine.finished(id)
    expect(done.error).toBeNull()
    expect(done.files.map(({ kind, format }) => [kind, format])).toContainEqual(['remux', 'webm'])
    expect(done.file_name).toMatch(/\.webm$/)
    await thumbnails
    const pictures = (await engine.getRecordingInfo(id))?.files.filter(({ kind }) => kind === 'thumbnail')
    expect(pictures).toHaveLength(5)
    await engine.close()
    expect(told).toContain('thumbnailsGenerated')
  })

  it('says what is wrong with options', async () => {
    await expect(open({ maxRecordings: 0 })).rejects.toThrow(/maxRecordings/)
    const { engine } = await open()
    expect(() => engine.participant('r', 'a', {})).toThrow(/give "video", "audio", or both/)
    await expect(engine.startRecording('nobody')).rejects.toMatchObject({ code: 'TD_ROOM_UNKNOWN' })
    await engine.close()
  })
})
