import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Gathering } from '../../src/webrtc/ndc/gathering.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }))
afterEach(() => void vi.useRealTimers())

/** One sleep of that length would be the end of a test. */
const HOUR_MS = 3_600_000

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

/** Ms that `count` turns take, each with a packet and without any time going by on the clock that is asked. */
async function spentMs(gathering: Gathering, count: number): Promise<number> {
  const from = process.hrtime.bigint()
  for (let i = 0; i < count; i++) {
    gathering.add({ gathered: () => {} })
    await turn()
  }
  return Number(process.hrtime.bigint() - from) / 1e6
}

/** So many packets in that time, all in one turn. */
async function period(gathering: Gathering, ms: number, packets: number): Promise<void> {
  const gatherer = { gathered: () => {} }
  for (let i = 0; i < packets; i++) gathering.add(gatherer)
  vi.advanceTimersByTime(ms)
  await turn()
}

describe('packets that are gathered', () => {
  it('end once per turn for each of those that got some', async () => {
    const gathering = new Gathering(0)
    const ends: string[] = []
    const anna = { gathered: () => void ends.push('anna') }
    const bert = { gathered: () => void ends.push('bert') }
    for (const gatherer of [anna, anna, bert, anna]) gathering.add(gatherer)
    expect(ends).toEqual([])
    await turn()
    expect(ends).toEqual(['anna', 'bert'])
    gathering.add(anna)
    await turn()
    expect(ends).toEqual(['anna', 'bert', 'anna'])
  })

  it('are slept for by a busy thread', async () => {
    const gathering = new Gathering(20)
    await period(gathering, 1000, 1001)
    expect(await spentMs(gathering, 5)).toBeGreaterThan(95)
  })

  it('are not slept for while they are few', async () => {
    const gathering = new Gathering(HOUR_MS)
    await period(gathering, 1000, 1000)
    await spentMs(gathering, 5)
  })

  it('are not slept for by who cannot keep up', async () => {
    const gathering = new Gathering(HOUR_MS)
    for (let i = 0; i < 3; i++) await period(gathering, HOUR_MS, 3_700_000)
  })
})
