import { describe, expect, it } from 'vitest'
import { SourceLife } from '../../src/live/source-life.ts'
import type { LiveStream } from '../../src/live/stream.ts'
import type { ChecklistLine, MediaLoss } from '../../src/media/source-report.ts'
import { aac, h264, Rig, Source, write } from './rig.ts'

const address = { room: 'live', participant: 'test' }
const loss = (packets: number): MediaLoss => ({
  trackId: 1,
  at: '2026-11-21T12:00:00.000Z',
  lengthMs: 40,
  packets,
  damagedFrames: 0,
  undecodableFrames: 0,
})

/** A publisher that says of itself what a WebRTC session does. */
function publish(rig: Rig, met: readonly ChecklistLine[] = [], losses: MediaLoss[] = []) {
  const life = new SourceLife({ requestKeyframe: () => undefined, expired: () => undefined })
  const asked: (number | undefined)[] = []
  life.move('connecting')
  for (const line of met) life.meet(line)
  const stream = rig.hub.publish(address, {
    source: 'whip',
    report: () => life.report({ tracks: [], losses: [...losses], lossCount: losses.length }),
    requestKeyframe: (trackId) => void asked.push(trackId),
  })
  return { stream, life, asked }
}
function send(stream: LiveStream, fromMs: number): void {
  stream.track(h264)
  stream.track(aac)
  write(stream, new Source().av(fromMs, fromMs + 1000))
}

describe('a recording without a frame', () => {
  it.each<[string, readonly ChecklistLine[], ChecklistLine | undefined]>([
    ['nobody connected', [], 'connected'],
    ['no track was announced', ['connected'], 'tracks_published'],
    ['none was taken', ['connected', 'tracks_published'], 'subscribed'],
    ['no packet came', ['connected', 'tracks_published', 'subscribed'], 'first_rtp'],
    ['no keyframe came', ['connected', 'tracks_published', 'subscribed', 'first_rtp'], 'first_keyframe'],
  ])('fails with the first line that was not met: %s', async (_, met, unmet) => {
    const rig = await Rig.start()
    const { stream, life } = publish(rig, met)
    const [recording] = rig.recorder.recordings
    life.stop({ code: 'TD_SOURCE_CONNECTION', message: 'why it ended' })
    await rig.finish(stream)
    const { state, error, source } = recording.report()
    expect([state, error?.code, error?.unmet]).toEqual(['failed', 'TD_NOTHING_RECORDED', unmet])
    expect(error?.message).toContain(`(checklist: ${unmet})`)
    expect(error?.message).toContain('TD_SOURCE_CONNECTION: why it ended')
    expect(source).toMatchObject({ state: 'stopped', fault: { code: 'TD_SOURCE_CONNECTION' } })
  })

  it('says the same of those who say nothing of themselves, as far as can be seen', async () => {
    const rig = await Rig.start()
    const outcome = async (act: (stream: LiveStream) => void) => {
      const stream = rig.publish()
      const [recording] = rig.recorder.recordings
      act(stream)
      await rig.finish(stream)
      const { error, source } = recording.report()
      expect(source).toBeUndefined()
      return error?.unmet
    }
    expect(await outcome(() => undefined)).toBe('tracks_published')
    expect(await outcome((stream) => stream.track(h264))).toBe('first_rtp')
    const blind = await outcome((stream) => {
      stream.track(h264)
      write(stream, [new Source().frame(h264, 0, { key: false })])
    })
    expect(blind).toBe('first_keyframe')
    const waiting = rig.recorder.record({ ...address, participant: 'nobody' })
    await waiting.stop()
    expect(waiting.report().error).toMatchObject({ code: 'TD_NOTHING_RECORDED', unmet: 'connected' })
  })

  it('because media came only while it was paused names no line', async () => {
    const rig = await Rig.start()
    const { stream } = publish(rig, [
      'connected',
      'tracks_published',
      'subscribed',
      'first_rtp',
      'first_keyframe',
      'frames_flowing',
    ])
    const [recording] = rig.recorder.recordings
    recording.pause()
    send(stream, 0)
    await rig.finish(stream)
    expect(recording.report().error).toMatchObject({ code: 'TD_NOTHING_RECORDED' })
    expect(recording.report().error?.unmet).toBeUndefined()
  })
})

describe('the report of a recording', () => {
  it('has what its source says, live, at the end, and of those before a reconnect', async () => {
    const rig = new Rig({ recordAll: false })
    await rig.recorder.start()
    const recording = rig.recorder.record(address, { reconnectWindowMs: 60_000 })
    expect(recording.report()).toMatchObject({ source: undefined, earlierSources: { count: 0 } })
    const losses = Array.from({ length: 12 }, (_, i) => loss(i))
    const first = publish(rig, ['connected'], losses)
    send(first.stream, 0)
    expect(recording.report().source).toMatchObject({ state: 'connecting', lossCount: 12 })
    first.life.stop({ code: 'TD_SOURCE_LOST', message: 'gone' })
    first.stream.end('lost')
    losses.push(loss(99)) // after the end
    expect(recording.report().source).toMatchObject({ state: 'stopped', lossCount: 12 })
    const second = publish(rig, ['connected', 'tracks_published'])
    send(second.stream, 5000)
    const { source, earlierSources } = recording.report()
    expect(source).toMatchObject({ state: 'connecting', lossCount: 0 })
    expect(earlierSources).toMatchObject({ count: 1, listed: [{ lossCount: 12, fault: { code: 'TD_SOURCE_LOST' } }] })
    expect(earlierSources.listed[0].losses.map(({ packets }) => packets)).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
    await recording.stop()
    expect(recording.report()).toMatchObject({ state: 'completed', error: undefined, source: { state: 'connecting' } })
  })
})

describe('a keyframe is asked for', () => {
  it('when a recording begins without one, and when it goes on after a pause', async () => {
    const rig = await Rig.start({ recordAll: false })
    const { stream, asked } = publish(rig)
    const recording = rig.recorder.record(stream)
    expect(asked).toEqual([undefined])
    send(stream, 0)
    rig.recorder.record(stream)
    expect(asked).toHaveLength(1)
    recording.pause()
    recording.resume()
    expect(asked).toHaveLength(2)
    stream.end('finished')
  })
})
