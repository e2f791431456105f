import { describe, expect, it } from 'vitest'
import { random } from '../../fuzz/mutate.ts'
import { type AccessUnit, ALL_LAYERS } from '../../src/rtp/access-unit.ts'
import { LayerSelector } from '../../src/rtp/layer-selector.ts'

const SIZES = [
  [320, 180],
  [640, 360],
  [1280, 720],
] as const
const FRAME_MS = 40

type Given = { layer: number; pts: number; key: boolean; config: string | undefined }

/** Units every 40 ms on each layer; pts are ms. Keyframes are sent when asked for, `roundTripMs` later. */
class SimulcastRig {
  readonly given: Given[] = []
  readonly asked: { layer: number; atMs: number }[] = []
  readonly selector: LayerSelector
  readonly #wanted = new Map<number, number>()
  readonly #started = new Set<number>()
  nowMs = 0
  roundTripMs = 80
  /** How long after its time a layer's units come. */
  delayMs: readonly number[] = [0, 0, 0]
  /** How far a layer's times are off. */
  skewMs: readonly number[] = [0, 0, 0]

  constructor(count = 3) {
    this.selector = new LayerSelector(
      count,
      {
        unit: (layer, { key, config, data }, pts) => {
          expect(data[0]).toBe(layer)
          this.given.push({ layer, pts, key, config: config === undefined ? undefined : String(config[0]) })
        },
        keyframeNeeded: (layer) => {
          this.asked.push({ layer, atMs: this.nowMs })
          if (!this.#wanted.has(layer)) this.#wanted.set(layer, this.nowMs + this.roundTripMs)
        },
      },
      { samePictureTicks: 10 },
    )
  }

  /** Runs for so long; `flows` says which layers have a unit that is due at that time. */
  run(lengthMs: number, flows: (layer: number, ptsMs: number) => boolean): void {
    for (const endMs = this.nowMs + lengthMs; this.nowMs < endMs; this.nowMs += 20) {
      for (let layer = 0; layer < SIZES.length; layer++) {
        const pts = this.nowMs - (this.delayMs[layer] ?? 0)
        if (pts < 0 || pts % FRAME_MS !== 0 || !flows(layer, pts)) continue
        const due = this.#wanted.get(layer)
        const key = !this.#started.has(layer) || (due !== undefined && pts >= due)
        if (key) this.#wanted.delete(layer)
        this.send(layer, pts + this.skewMs[layer], key)
      }
      this.selector.tick(this.nowMs)
    }
  }

  send(layer: number, pts: number, key: boolean): void {
    const isFirst = !this.#started.has(layer)
    this.#started.add(layer)
    if (key) this.selector.size(layer, SIZES[layer][0], SIZES[layer][1])
    const unit: AccessUnit = {
      ...{ timestamp: pts * 90, arrivalMs: this.nowMs, data: new Uint8Array(100).fill(layer), key },
      ...{ config: isFirst ? Uint8Array.of(layer) : undefined, width: 0, height: 0 },
      ...{ temporalLayer: 0, isDisposable: false, refersTo: key ? 0 : 1, opens: key ? ALL_LAYERS : 0, isOrphan: false },
    }
    this.selector.unit(layer, unit, pts, this.nowMs)
  }

  /** Layers in the order they were taken. */
  get path(): number[] {
    return this.given.map(({ layer }) => layer).filter((layer, i, all) => layer !== all[i - 1])
  }

  /** The longest time between two units, ms. */
  get longestGap(): number {
    return Math.max(...this.given.slice(1).map(({ pts }, i) => pts - this.given[i].pts))
  }

  /** Time goes on, each layer begins with a key unit and its configuration. */
  expectSound(): void {
    for (const [i, { pts, layer, key, config }] of this.given.entries()) {
      if (i > 0) expect(pts).toBeGreaterThan(this.given[i - 1].pts)
      if (i === 0 || this.given[i - 1].layer !== layer) expect([key, config]).toEqual([true, String(layer)])
    }
  }
}

describe('of simulcast layers', () => {
  it('the best is taken at once where all begin together', () => {
    const rig = new SimulcastRig()
    rig.run(2000, () => true)
    expect(rig.path).toEqual([2])
    expect(rig.given).toHaveLength(50)
    expect(rig.given[0].pts).toBe(0)
    rig.expectSound()
  })

  it('the only one is taken without delay', () => {
    const rig = new SimulcastRig(1)
    rig.run(400, (layer) => layer === 0)
    expect(rig.given.map(({ pts }) => pts)).toEqual([0, 40, 80, 120, 160, 200, 240, 280, 320, 360])
  })

  it('the track moves up as better ones begin, without a frame missing or twice', () => {
    const rig = new SimulcastRig()
    rig.run(4000, (layer, pts) => pts >= layer * 1200)
    rig.selector.finish()
    expect(rig.path).toEqual([0, 1, 2])
    expect(rig.longestGap).toBe(FRAME_MS)
    expect(rig.given).toHaveLength(100)
    rig.expectSound()
  })

  it.each([
    ['later', [0, 40, 120]],
    ['earlier', [160, 80, 0]],
  ])('it makes no difference that the better one comes %s', (_, delayMs) => {
    const rig = new SimulcastRig()
    rig.delayMs = delayMs
    rig.run(6000, (layer, pts) => pts >= layer * 1200)
    rig.selector.finish()
    expect(rig.path).toEqual([0, 1, 2])
    expect(rig.longestGap).toBe(FRAME_MS)
    rig.expectSound()
  })

  it('one that has stopped is left within 500 ms for the best other, and taken again', () => {
    const rig = new SimulcastRig()
    rig.run(9000, (layer, pts) => layer !== 2 || pts < 2000 || pts >= 6000)
    rig.selector.finish()
    expect(rig.path).toEqual([2, 1, 2])
    expect(rig.longestGap).toBeLessThanOrEqual(500)
    expect(rig.asked[0]).toMatchObject({ layer: 1 })
    expect(rig.asked[0].atMs).toBeLessThan(2400)
    rig.expectSound()
  })

  it.each([1, -1, 9, -9])('gives each picture once, where the layers’ clocks differ by %i ms', (skewMs) => {
    const rig = new SimulcastRig()
    rig.skewMs = [0, 0, skewMs]
    rig.run(2000, () => true)
    rig.run(3000, (layer) => layer !== 2)
    rig.run(3000, () => true)
    expect(rig.path.slice(-3)).toEqual([2, 1, 2])
    rig.expectSound()
    const steps = rig.given.slice(1).map(({ pts }, i) => pts - rig.given[i].pts)
    expect(Math.min(...steps)).toBeGreaterThan(20)
  })

  it('when two stop, the last one is taken', () => {
    const rig = new SimulcastRig()
    rig.run(6000, (layer, pts) => layer === 0 || pts < 2000 || pts >= 5000)
    expect(rig.path).toEqual([2, 0, 2])
    expect(rig.longestGap).toBeLessThanOrEqual(500)
    rig.expectSound()
  })

  it('one that only waited for a packet goes on where it was', () => {
    const rig = new SimulcastRig()
    rig.run(2000, () => true)
    rig.run(800, (layer) => layer < 2)
    for (let pts = 2000; pts < 2800; pts += FRAME_MS) rig.send(2, pts, false)
    rig.run(2000, () => true)
    expect(rig.path).toEqual([2])
    expect(rig.longestGap).toBe(FRAME_MS)
    rig.expectSound()
  })

  it('where the best one was broken for a while, another takes its place up to its keyframe', () => {
    const rig = new SimulcastRig()
    rig.run(2000, () => true)
    rig.run(900, (layer) => layer < 2)
    rig.send(2, 2880, true)
    rig.run(1000, () => true)
    expect(rig.path).toEqual([2, 1, 2])
    expect(rig.longestGap).toBeLessThanOrEqual(500)
    rig.expectSound()
  })

  it('screens that hardly change are no reason to leave', () => {
    const rig = new SimulcastRig()
    rig.delayMs = [0, 20, 60]
    rig.run(10_000, (_layer, pts) => pts % 1000 === 0)
    expect(rig.path).toEqual([2])
    expect(rig.longestGap).toBe(1000)
  })

  it('whatever comes and goes, time never goes back and no layer begins without a keyframe', () => {
    for (let seed = 1; seed <= 60; seed++) {
      const pick = random(seed)
      const rig = new SimulcastRig()
      rig.roundTripMs = 20 + pick(300)
      rig.delayMs = [pick(6) * 20, pick(6) * 20, pick(6) * 20]
      const up = [true, true, true]
      rig.run(12_000, (layer) => {
        if (pick(60) === 0) up[layer] = !up[layer]
        return up[layer]
      })
      rig.selector.finish()
      rig.expectSound()
      expect(rig.given.length).toBeGreaterThan(50)
    }
  })
})
