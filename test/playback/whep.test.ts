import { expect, it, vi } from 'vitest'
import { Hub } from '../../src/live/hub.ts'
import { LimitError, MalformedError, UnsupportedError } from '../../src/media/errors.ts'
import { NotLiveError, WhepPlayback } from '../../src/playback/whep/whep-playback.ts'
import { OFFER, ScriptedEngine, ScriptedSession } from '../ingest/scripted-engine.ts'
import { audioTrack, heldFrame } from '../media/frames.ts'

const address = { room: 'standup', participant: 'alice' }
const offer = { sdp: OFFER, peer: '192.0.2.2' }

async function rig(maxViewers = 10) {
  const lines: string[] = []
  const log = (_: object, message: string) => void lines.push(message)
  const logger = { debug: log, info: log, warn: log, error: log }
  const hub = new Hub({ takeover: false, maxStreams: 10 }, logger)
  const engine = new ScriptedEngine()
  const whep = new WhepPlayback({ hub, engine, logger, maxViewers })
  const sink = { track() {}, frame() {}, flush() {}, loss() {}, met() {}, figures() {}, end() {} }
  engine.published.push(
    new ScriptedSession(
      {
        id: 'p',
        offer: '',
        videoCodecs: [],
        audioCodecs: [],
        layers: 'best',
        maxBitrateBps: 1,
        jitterBudgetMs: 1,
        labels: {},
      },
      sink,
    ),
  )
  const stream = hub.publish(address, { source: 'whip', session: 'p' })
  return { hub, engine, whep, stream, lines }
}

it('a viewer sees the session of the publisher, counts as a player, and ends with the stream', async () => {
  const { engine, whep, stream, lines } = await rig()
  const viewer = await whep.create(address, offer)
  expect(engine.watched[0].request).toEqual({ id: viewer.id, offer: OFFER, publisherId: 'p' })
  expect([whep.find(viewer.id), stream.playerCount, viewer.iceUfrag]).toEqual([viewer, 1, 'EsAw'])
  viewer.addCandidates(['candidate:1'])
  expect(engine.watched[0].candidates).toEqual(['candidate:1'])
  stream.write(heldFrame(audioTrack(1), 0, true))
  stream.end('lost')
  expect([engine.watched[0].isClosed, whep.find(viewer.id), whep.stats]).toEqual([
    true,
    undefined,
    { sessions: 0, started: 1, ended: { stream_ended: 1 } },
  ])
  expect(lines).toEqual(['a viewer joined', 'a viewer left'])
})

it('a viewer that leaves leaves the stream', async () => {
  const { engine, whep, stream } = await rig()
  const [one, other] = [await whep.create(address, offer), await whep.create(address, offer)]
  one.close('finished')
  engine.watched[1].sink.end({ reason: 'lost' })
  expect([one.isEnded, other.isEnded, stream.playerCount, stream.ended]).toEqual([true, true, 0, undefined])
  await whep.create(address, offer)
  whep.close()
  const ended = { finished: 1, lost: 1, shutdown: 1 }
  expect([stream.playerCount, whep.stats]).toEqual([0, { sessions: 0, started: 3, ended }])
  await expect(whep.create(address, offer)).rejects.toThrow(NotLiveError)
})

it('a viewer that has not connected after 20 s is gone, and no other', async () => {
  vi.useFakeTimers({ toFake: ['performance', 'setInterval', 'clearInterval'] })
  try {
    const { engine, whep, stream } = await rig()
    const [connected, lost] = [await whep.create(address, offer), await whep.create(address, offer)]
    engine.watched[0].sink.met('connected')
    vi.advanceTimersByTime(19_900)
    expect(stream.playerCount).toBe(2)
    vi.advanceTimersByTime(1100)
    expect([connected.isEnded, lost.isEnded, engine.watched[1].isClosed]).toEqual([false, true, true])
    expect([stream.playerCount, whep.find(lost.id)]).toEqual([1, undefined])
  } finally {
    vi.useRealTimers()
  }
})

it('what cannot be watched is refused, and leaves nothing behind', async () => {
  const { hub, whep, engine } = await rig(1)
  await expect(whep.create({ ...address, participant: 'bob' }, offer)).rejects.toThrow(NotLiveError)
  hub.publish({ ...address, participant: 'bob' }, { source: 'rtmp' })
  await expect(whep.create({ ...address, participant: 'bob' }, offer)).rejects.toThrow('came by rtmp')
  await expect(whep.create(address, { ...offer, sdp: '' })).rejects.toThrow(MalformedError)
  engine.refusal = new UnsupportedError('no')
  await expect(whep.create(address, offer)).rejects.toThrow(UnsupportedError)
  engine.refusal = undefined
  await whep.create(address, offer)
  await expect(whep.create(address, offer)).rejects.toThrow(LimitError)
  expect(whep.stats.sessions).toBe(1)
})

it('a stream that ends while the engine looks at the offer is not live', async () => {
  const { whep, engine, stream } = await rig()
  const { promise, resolve } = Promise.withResolvers<void>()
  engine.delay = promise
  const asked = whep.create(address, offer)
  stream.end('finished')
  resolve()
  await expect(asked).rejects.toThrow(NotLiveError)
  expect([engine.watched[0].isClosed, whep.stats.sessions]).toEqual([true, 0])
})
