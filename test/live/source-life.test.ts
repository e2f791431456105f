import { describe, expect, it } from 'vitest'
import { SourceMoveError } from '../../src/live/source-errors.ts'
import { SourceLife } from '../../src/live/source-life.ts'
import { CHECKLIST, firstUnmet, SOURCE_STATES, type SourceState } from '../../src/media/source-report.ts'

function rig() {
  const clock = { ms: 1000 }
  const told: string[] = []
  const life = new SourceLife(
    {
      requestKeyframe: () => void told.push('asked'),
      reported: (fault) => void told.push(fault?.code ?? 'well again'),
      expired: (error) => void told.push(`ended ${error.code}`),
    },
    { now: () => clock.ms },
  )
  const pass = (ms: number) => {
    clock.ms += ms
    life.tick()
  }
  return { life, told, pass, clock }
}
const WAY: readonly SourceState[] = [
  'connecting',
  'connected',
  'subscribing',
  'subscribed',
  'recording',
  'stopping',
  'stopped',
]
const figures = { tracks: [], losses: [], lossCount: 0 }

function at(state: SourceState) {
  const all = rig()
  for (const step of WAY.slice(0, WAY.indexOf(state) + 1)) all.life.move(step)
  return all
}

describe('the states of a remote source', () => {
  it('come one after the other; every other move is an error that says what is possible', () => {
    const possible = SOURCE_STATES.flatMap((from) =>
      SOURCE_STATES.filter((to) => {
        const { life } = at(from)
        try {
          life.move(to)
          return true
        } catch (error) {
          expect(error).toBeInstanceOf(SourceMoveError)
          expect(error).toMatchObject({ from, to, message: expect.stringContaining(`a source that is ${from} cannot`) })
          return false
        }
      }).map((to) => `${from} → ${to}`),
    )
    expect(possible.filter((move) => !/→ (stopping|stopped|disconnected)$/.test(move))).toEqual([
      'disconnected → connecting',
      'connecting → connected',
      'connected → subscribing',
      'subscribing → subscribed',
      'subscribed → recording',
      'recording → subscribed',
    ])
    expect(possible).not.toContain('stopped → stopping')
  })

  it('can come back after a disconnection, and stop once', () => {
    const { life } = at('recording')
    life.move('disconnected', { code: 'TD_X', message: 'gone' })
    expect(life.fault).toEqual({ code: 'TD_X', message: 'gone' })
    life.move('connecting')
    life.stop()
    life.stop({ code: 'TD_Y', message: 'too late' })
    expect(life.fault?.code).toBe('TD_X')
  })
})

describe('deadlines', () => {
  it('20 s for the connection, 10 s for the first packet', () => {
    const slow = at('connecting')
    slow.pass(19_999)
    expect(slow.told).toEqual([])
    slow.pass(1)
    expect([slow.told, slow.life.state]).toEqual([['ended TD_SOURCE_CONNECTION'], 'stopped'])
    const mute = at('subscribing')
    mute.pass(10_000)
    expect(mute.told).toEqual(['ended TD_SOURCE_SUBSCRIPTION'])
    mute.pass(60_000)
    expect(mute.told).toHaveLength(1)
  })

  it('5 s of silence are reported, once, and forgotten when it is heard again; 15 s end it', () => {
    const { life, told, pass } = at('recording')
    life.heard()
    pass(4999)
    pass(1)
    pass(1000)
    expect(told).toEqual(['TD_SOURCE_SILENT'])
    expect(life.state).toBe('recording')
    life.heard()
    expect(told).toEqual(['TD_SOURCE_SILENT', 'well again'])
    pass(14_999)
    pass(1)
    expect(told.slice(2)).toEqual(['TD_SOURCE_SILENT', 'ended TD_SOURCE_LOST'])
    expect(life.report(figures)).toMatchObject({ state: 'stopped', fault: { code: 'TD_SOURCE_LOST' } })
  })

  it('a keyframe is asked for again every 2 s, as long as it is asked for', () => {
    const { life, told, pass } = at('subscribed')
    life.keyframeAsked()
    for (let i = 0; i < 6; i++) {
      life.heard()
      pass(1000)
      if (i === 0) life.keyframeAsked()
    }
    expect(told).toEqual(['TD_SOURCE_KEYFRAME', 'asked', 'asked', 'asked'])
    life.meet('first_keyframe')
    expect(told.at(-1)).toBe('well again')
    life.heard()
    pass(3000)
    expect(told).toHaveLength(5)
  })

  it('a report of a packet that is older than the last one changes nothing', () => {
    const { life, clock } = at('recording')
    life.heard()
    clock.ms += 3000
    life.heard(1500)
    expect(life.silentMs).toBe(2500)
    life.heard(900)
    expect(life.silentMs).toBe(2500)
  })
})

describe('the checklist', () => {
  it('knows the first line that is not met, and when each was', () => {
    const { life, pass } = at('connecting')
    expect(firstUnmet(life.checklist)).toBe('connected')
    pass(250)
    life.move('connected')
    life.meet('tracks_published')
    expect(firstUnmet(life.checklist)).toBe('subscribed')
    life.move('subscribing')
    pass(100)
    life.meet('first_rtp')
    life.move('subscribed')
    expect(firstUnmet(life.checklist)).toBe('first_keyframe')
    for (const line of CHECKLIST) life.meet(line)
    expect(firstUnmet(life.checklist)).toBeUndefined()
    const report = life.report(figures)
    expect(report).toMatchObject({ state: 'subscribed', connectionMs: 250, subscriptionMs: 100 })
    expect(Date.parse(report.checklist.connected ?? '')).toBeLessThanOrEqual(Date.now())
    expect(report.fault).toBeUndefined()
  })
})
