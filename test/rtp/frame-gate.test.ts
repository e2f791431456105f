import { describe, expect, it } from 'vitest'
import { random } from '../../fuzz/mutate.ts'
import type { MediaLoss } from '../../src/media/source-report.ts'
import type { VideoCodec } from '../../src/media/track.ts'
import { type AccessUnit, ALL_LAYERS } from '../../src/rtp/access-unit.ts'
import { depacketizerFor } from '../../src/rtp/depacketize/depacketizer-for.ts'
import { FrameGate, type FrameGateOptions } from '../../src/rtp/frame-gate.ts'
import { SentPackets } from './gathered-units.ts'
import { h264WithB, type ModelPicture, type ModelStream, vp8Layers, vp9Fixed, vp9Flexible } from './reference-model.ts'

const TICKS = 3000 // of a picture

class GateRig {
  readonly passed: { timestamp: number; key: boolean }[] = []
  readonly losses: Omit<MediaLoss, 'trackId'>[] = []
  asked = 0
  readonly gate: FrameGate

  constructor(options: Partial<FrameGateOptions> = {}) {
    this.gate = new FrameGate(
      {
        unit: ({ timestamp, key }) => this.passed.push({ timestamp, key }),
        loss: (loss) => this.losses.push(loss),
        keyframeNeeded: () => this.asked++,
      },
      { clockRateHz: 90_000, now: () => Date.UTC(2026, 0, 1), ...options },
    )
  }

  unit(number: number, about: Partial<AccessUnit> = {}): void {
    const key = about.key ?? false
    const layer = about.temporalLayer ?? 0
    this.gate.unit({
      ...{ timestamp: (number * TICKS) >>> 0, arrivalMs: 0, data: new Uint8Array(1), key, config: undefined },
      ...{ width: 0, height: 0, temporalLayer: layer, isDisposable: false, isOrphan: false },
      ...{ refersTo: key ? 0 : (2 << layer) - 1, opens: key ? ALL_LAYERS : 0 },
      ...about,
    })
  }

  lose(layers: number, packets = 1, damagedUnits = 0, timestamp?: number): void {
    this.gate.damaged({ packets, damagedUnits, timestamp, layers })
  }

  get numbers(): number[] {
    return this.passed.map(({ timestamp }) => timestamp / TICKS)
  }
}

const key = { key: true }

describe('a gate', () => {
  it('opens with a key unit, and asks for one until it comes', () => {
    const rig = new GateRig()
    for (let i = 0; i < 40; i++) rig.unit(i)
    expect(rig.asked).toBe(3) // at once, and after each half second
    rig.unit(40, key)
    rig.unit(41)
    expect(rig.numbers).toEqual([40, 41])
    expect(rig.losses).toEqual([])
    expect(rig.gate.undecodableFrames).toBe(40)
  })

  it('closes at a loss until the next key unit, and tells of it when it is over', () => {
    const rig = new GateRig()
    rig.unit(0, key)
    rig.unit(1)
    rig.lose(ALL_LAYERS, 3, 1, 2 * TICKS)
    expect(rig.asked).toBe(1)
    for (let i = 3; i < 10; i++) rig.unit(i)
    expect(rig.losses).toEqual([])
    rig.unit(10, key)
    expect(rig.numbers).toEqual([0, 1, 10])
    expect(rig.losses).toEqual([
      { at: '2026-01-01T00:00:00.000Z', lengthMs: 300, packets: 3, damagedFrames: 1, undecodableFrames: 7 },
    ])
    expect([rig.gate.damagedFrames, rig.gate.undecodableFrames, rig.gate.isOpen]).toEqual([1, 7, true])
  })

  it('stays open when nothing refers to what was lost, and tells of it all the same', () => {
    const rig = new GateRig()
    rig.unit(0, key)
    rig.lose(0, 2, 1, TICKS)
    rig.unit(2)
    expect(rig.numbers).toEqual([0, 2])
    expect(rig.asked).toBe(0)
    expect(rig.losses).toMatchObject([{ lengthMs: 67, packets: 2, damagedFrames: 1, undecodableFrames: 0 }])
  })

  it('closes the layers that are concerned, until each opens', () => {
    const rig = new GateRig()
    rig.unit(-4, key)
    rig.unit(-2, { temporalLayer: 2 })
    rig.unit(-1, { temporalLayer: 1 })
    rig.unit(0)
    rig.lose(0b1111_1110)
    rig.unit(1)
    rig.unit(2, { temporalLayer: 1 })
    rig.unit(3, { temporalLayer: 2 })
    rig.unit(4, { temporalLayer: 1, refersTo: 1, opens: 0b010 })
    rig.unit(5, { temporalLayer: 2 })
    rig.unit(6, { temporalLayer: 1 })
    rig.unit(7, { temporalLayer: 2, refersTo: 1, opens: 0b100 })
    rig.unit(8, { temporalLayer: 2 })
    expect(rig.numbers.slice(4)).toEqual([1, 4, 6, 7, 8])
    expect(rig.losses).toMatchObject([{ lengthMs: 233, undecodableFrames: 3 }])
    expect(rig.asked).toBe(0)
  })

  it('asks for a keyframe when an upper layer does not open by itself', () => {
    const rig = new GateRig()
    rig.unit(0, key)
    rig.lose(0b10)
    for (let i = 1; i < 40; i++) rig.unit(i, { temporalLayer: i % 2 })
    expect(rig.asked).toBe(2)
    expect(rig.numbers.every((number) => number % 2 === 0)).toBe(true)
  })

  it('asks at once when the base layer has an orphan, and otherwise when orphans go on', () => {
    const base = new GateRig()
    base.unit(0, key)
    base.lose(0)
    base.unit(2, { isOrphan: true, refersTo: 0 })
    expect([base.asked, base.numbers]).toEqual([1, [0]])

    const upper = new GateRig()
    upper.unit(0, key)
    upper.lose(0)
    for (let i = 2; i < 5; i++) upper.unit(i, { temporalLayer: i % 2, refersTo: 0, isOrphan: i % 2 === 1 })
    expect(upper.asked).toBe(0)
    for (let i = 5; i < 30; i++) upper.unit(i, { temporalLayer: i % 2, refersTo: 0, isOrphan: i % 2 === 1 })
    expect(upper.asked).toBe(1)
    expect(upper.numbers.every((number) => number % 2 === 0)).toBe(true)
  })

  it('leaves out leading pictures of the key unit at which it opens, and only of that', () => {
    const rig = new GateRig()
    rig.unit(2, key)
    rig.unit(1)
    rig.unit(0, { isDisposable: true })
    rig.unit(4)
    rig.unit(3)
    rig.unit(7, key)
    rig.unit(6)
    expect(rig.numbers).toEqual([2, 4, 3, 7, 6])
  })

  it('goes on over the wrap of timestamps, and when they begin anew', () => {
    const rig = new GateRig()
    rig.unit(-2, key)
    rig.unit(-1)
    rig.unit(0)
    rig.lose(ALL_LAYERS)
    rig.unit(1)
    rig.unit(2, key)
    rig.unit(-500_000)
    expect(rig.passed).toHaveLength(5)
    expect(rig.losses).toMatchObject([{ lengthMs: 67 }])
  })

  it('leaves nothing out when asked to keep all, but what comes before the first key unit', () => {
    const rig = new GateRig({ keep: 'all' })
    rig.unit(0)
    rig.unit(1, key)
    rig.lose(ALL_LAYERS, 1, 1)
    for (let i = 3; i < 40; i++) rig.unit(i)
    rig.unit(40, key)
    expect(rig.numbers).toEqual([1, ...Array.from({ length: 38 }, (_, i) => i + 3)])
    expect(rig.asked).toBeGreaterThan(2)
    expect(rig.losses).toMatchObject([{ packets: 1, damagedFrames: 1, undecodableFrames: 0 }])
  })

  it('tells at the end of what is not over', () => {
    const rig = new GateRig()
    rig.unit(0, key)
    rig.lose(ALL_LAYERS, 5)
    rig.unit(3)
    rig.gate.finish()
    rig.gate.finish()
    expect(rig.losses).toMatchObject([{ packets: 5, lengthMs: 100, undecodableFrames: 1 }])
  })
})

/** Sends a stream with losses; what came through, by number, and the gate. */
function through(codec: VideoCodec, pictures: readonly ModelPicture[], isLost: (index: number) => boolean) {
  const rig = new GateRig()
  const format = { codec, clockRateHz: 90_000, channels: 1, parameters: new Map<string, string>() }
  const sent = new SentPackets(depacketizerFor(format, rig.gate), isLost)
  for (const { payloads, shownAt } of pictures) sent.unit({ payloads, timestamp: shownAt * TICKS })
  sent.end()
  rig.gate.finish()
  const byTime = new Map(pictures.map(({ shownAt }, i) => [shownAt * TICKS, i]))
  return { rig, lost: sent.lost, passed: rig.passed.map(({ timestamp }) => byTime.get(timestamp) ?? -1) }
}

const streams: readonly (readonly [string, VideoCodec, ModelStream])[] = [
  ['H.264 with B pictures', 'h264', h264WithB],
  ['VP8 in temporal layers', 'vp8', vp8Layers],
  ['VP9 in flexible mode', 'vp9', vp9Flexible],
  ['VP9 in temporal layers', 'vp9', vp9Fixed],
]

describe.each(streams)('%s', (_, codec, stream) => {
  it('comes through whole when nothing is lost', () => {
    const pictures = stream(200, 50)
    const { passed, rig } = through(codec, pictures, () => false)
    expect(passed).toEqual(pictures.map((_picture, i) => i))
    expect([rig.losses, rig.asked]).toEqual([[], 0])
  })

  it('never comes through where what it refers to did not, whatever is lost', () => {
    let kept = 0
    let possible = 0
    for (let seed = 1; seed <= 40; seed++) {
      const pick = random(seed)
      const pictures = stream(120, 24 + pick(40))
      let burst = 0
      const rate = [1, 5, 20, 100][pick(4)]
      const isLost = () => {
        if (burst === 0 && pick(1000) < rate) burst = 1 + pick(pick(4) === 0 ? 40 : 2)
        return burst > 0 && burst-- > 0
      }
      const { rig, lost, passed } = through(codec, pictures, isLost)
      const out = new Set(passed)
      expect(out.size).toBe(passed.length)
      for (const number of passed) {
        const missing = pictures[number].refersTo.filter((each) => !out.has(each))
        expect({ seed, number, missing }).toEqual({ seed, number, missing: [] })
      }
      expect(passed.length === 0 || pictures[passed[0]].isKey).toBe(true)
      expect(rig.losses.reduce((sum, { packets }) => sum + packets, 0)).toBe(lost)
      kept += passed.length
      possible += decodable(codec, pictures, seed)
    }
    // VP9 in flexible mode says everything: nothing is left out that could have been decoded.
    if (stream === vp9Flexible) expect(kept).toBe(possible)
    expect(kept / possible).toBeGreaterThan(0.8)
  })
})

/** How many pictures a decoder that knows every reference could have shown, with the same losses. */
function decodable(codec: VideoCodec, pictures: readonly ModelPicture[], seed: number): number {
  const pick = random(seed)
  pick(40)
  let burst = 0
  const rate = [1, 5, 20, 100][pick(4)]
  const good = new Set<number>()
  for (const [i, { payloads, refersTo }] of pictures.entries()) {
    let isWhole = true
    for (const _ of payloads) {
      if (burst === 0 && pick(1000) < rate) burst = 1 + pick(pick(4) === 0 ? 40 : 2)
      if (burst > 0 && burst-- > 0) isWhole = false
    }
    if (isWhole && refersTo.every((each) => good.has(each))) good.add(i)
  }
  expect(codec.length).toBeGreaterThan(0)
  return good.size
}
