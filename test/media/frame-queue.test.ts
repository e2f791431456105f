import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Frame } from '../../src/media/frame.ts'
import { FrameQueue } from '../../src/media/frame-queue.ts'
import { audioTrack, heldFrame, videoTrack } from './frames.ts'

const video = videoTrack(1)
const second = videoTrack(3)
const audio = audioTrack(2)

function drain(queue: FrameQueue): Frame[] {
  const out: Frame[] = []
  for (let frame = queue.shift(); frame !== undefined; frame = queue.shift()) out.push(frame)
  return out
}

describe('FrameQueue', () => {
  it('passes everything through in order while it is below its bounds', () => {
    const queue = new FrameQueue({ maxBytes: 1e6, maxFrames: 3000 })
    const frames = Array.from({ length: 2500 }, (_, i) => heldFrame(video, i, i % 30 === 0, 10))
    for (const frame of frames) queue.push(frame)
    expect(drain(queue)).toEqual(frames)
    expect(queue.bytes).toBe(0)
    expect(queue.droppedFrames).toBe(0)
  })

  it('drops the oldest whole GOP at the bound and counts it', () => {
    const queue = new FrameQueue({ maxBytes: 1e9, maxFrames: 10 })
    for (let i = 0; i < 12; i++) queue.push(heldFrame(video, i, i % 4 === 0))
    const out = drain(queue)
    expect(out[0].key).toBe(true)
    expect(out.map((frame) => frame.dts)).toEqual([4, 5, 6, 7, 8, 9, 10, 11])
    expect(queue.droppedFrames).toBe(4)
    expect(queue.droppedBytes).toBe(400)
  })

  it('after losing everything lets no video in before the next keyframe, but audio', () => {
    const queue = new FrameQueue({ maxBytes: 1e9, maxFrames: 3 })
    queue.push(heldFrame(video, 0, true))
    for (let i = 1; i < 6; i++) queue.push(heldFrame(video, i, false))
    queue.push(heldFrame(audio, 6, true))
    queue.push(heldFrame(video, 7, true))
    queue.push(heldFrame(video, 8, false))
    expect(drain(queue).map((frame) => frame.dts)).toEqual([6, 7, 8])
  })

  it('never lets out a frame that cannot be decoded, is never above its bound, and leaks no hold', () => {
    const step = fc.record({
      track: fc.constantFrom(video, second, audio),
      key: fc.boolean(),
      size: fc.integer({ min: 1, max: 5000 }),
      take: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const queue = new FrameQueue({ maxBytes: 20_000, maxFrames: 12 })
        const all: ReturnType<typeof heldFrame>[] = []
        const lastTaken = new Map<number, number>()
        const sequence = new Map<number, { index: number; keys: number[] }>()
        const taken: Frame[] = []
        for (const { track, key, size, take } of steps) {
          const seen = sequence.get(track.id) ?? { index: 0, keys: [] }
          const isKey = key || track.kind === 'audio' || seen.index === 0
          const frame = heldFrame(track, seen.index, isKey, size)
          if (isKey) seen.keys.push(seen.index)
          seen.index++
          sequence.set(track.id, seen)
          all.push(frame)
          queue.push(frame)
          expect(queue.length === 1 || (queue.bytes <= 20_000 && queue.length <= 12)).toBe(true)
          if (take) {
            const out = queue.shift()
            if (out !== undefined) taken.push(out)
          }
        }
        taken.push(...drain(queue))
        for (const frame of taken) {
          const last = lastTaken.get(frame.track.id)
          if (frame.track.kind === 'video' && !frame.key) expect(last).toBe(frame.dts - 1)
          lastTaken.set(frame.track.id, frame.dts)
        }
        expect(taken.length + queue.droppedFrames).toBe(all.length)
        for (const frame of taken) frame.release()
        for (const frame of all) expect(frame.block.holders).toBe(1)
        for (const frame of all) frame.release()
      }),
      { numRuns: 300 },
    )
  })
})
