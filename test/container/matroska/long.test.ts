import { describe, expect, it } from 'vitest'
import { CueIndex } from '../../../src/container/matroska/cue-index.ts'
import { childrenOf, elementsOf, readSize, readUint } from '../../../src/container/matroska/ebml.ts'
import * as E from '../../../src/container/matroska/elements.ts'
import { MatroskaMuxer } from '../../../src/container/matroska/muxer.ts'
import { Frame } from '../../../src/media/frame.ts'
import type { ByteSink } from '../../../src/media/ports.ts'
import { audio, video } from './tracks.ts'

const HOURS = 12

/** Takes everything and keeps nothing but the end: what `finish` writes. */
class CountingSink implements ByteSink {
  position = 0
  readonly tail: Uint8Array[] = []
  readonly patches = new Map<number, Uint8Array>()
  keeps = false

  write(bytes: Uint8Array): void {
    this.position += bytes.length
    if (this.keeps) this.tail.push(bytes.slice())
  }
  patch(offset: number, bytes: Uint8Array): void {
    if (this.keeps) this.patches.set(offset, bytes.slice())
  }
  sync(): void {}
  async drain(): Promise<void> {}
}

function cuesIn(pieces: readonly Uint8Array[]): number[] {
  const [cues] = elementsOf(Buffer.concat(pieces), 0, 'cues')
  expect(cues.id).toBe(E.CUES)
  const times: number[] = []
  for (const point of elementsWithoutLimit(cues.data)) times.push(point)
  return times
}

/** Cue times of points of 31 bytes each: more of them than a header may have children. */
function* elementsWithoutLimit(data: Uint8Array): Generator<number> {
  for (let at = 0; at < data.length; at += 31) {
    const [point] = elementsOf(data.subarray(at, at + 31), 0, 'point')
    const [time] = childrenOf(point, 'point')
    yield readUint(time)
  }
}

describe('a recording of 12 hours', () => {
  it('keeps its memory flat, is finished quickly, and has a cue for every keyframe', { timeout: 120_000 }, async () => {
    const out = new CountingSink()
    const muxer = new MatroskaMuxer(out)
    muxer.start([video, audio])
    const picture = new Uint8Array(40)
    const sound = new Uint8Array(10)
    const heldBytes = () => {
      const { heapUsed, arrayBuffers } = process.memoryUsage()
      return heapUsed + arrayBuffers
    }
    let afterFirstMinute = 0
    let most = 0
    for (let second = 0; second < HOURS * 3600; second++) {
      for (let i = 0; i < 30; i++) {
        const ms = second * 1000 + Math.round((i * 1000) / 30)
        muxer.write(new Frame(video, ms, ms, i === 0, picture))
        muxer.write(new Frame(audio, ms, ms, true, sound))
      }
      if (second === 60) afterFirstMinute = heldBytes()
      if (second > 60 && second % 60 === 0) most = Math.max(most, heldBytes())
    }
    expect(most - afterFirstMinute).toBeLessThan(20 * 1024 * 1024)
    out.keeps = true
    const startedAt = performance.now()
    await muxer.finish()
    expect(performance.now() - startedAt).toBeLessThan(3000)
    const times = cuesIn(out.tail)
    expect(times.length).toBe(HOURS * 3600)
    expect(times.at(-1)).toBe((HOURS * 3600 - 1) * 1000)
  })
})

describe('a file of more than 4 GiB', () => {
  it('states its size and its positions in full', async () => {
    const out = new CountingSink()
    const muxer = new MatroskaMuxer(out)
    muxer.start([video])
    const picture = new Uint8Array(64 * 1024 * 1024)
    for (let i = 0; i < 70; i++) muxer.write(new Frame(video, i * 1000, i * 1000, true, picture))
    const mediaEnd = out.position
    expect(mediaEnd).toBeGreaterThan(2 ** 32)
    out.keeps = true
    await muxer.finish()
    const sizes = [...out.patches.values()].filter((bytes) => bytes.length === 8).map((bytes) => readSize(bytes, 0, 8))
    const [, segmentSize] = sizes
    expect(segmentSize).toBeGreaterThan(mediaEnd)
    expect(segmentSize).toBeLessThan(out.position)
    const [cues] = elementsOf(Buffer.concat(out.tail), 0, 'cues')
    const [point] = elementsOf(cues.data.subarray(-31), 0, 'point')
    const [, positions] = childrenOf(point, 'point')
    const [, clusterPosition] = childrenOf(positions, 'positions')
    expect(mediaEnd - readUint(clusterPosition)).toBeGreaterThan(picture.length)
    expect(mediaEnd - readUint(clusterPosition)).toBeLessThan(picture.length + 200)
  })
})

describe('CueIndex', () => {
  it('thins itself out evenly when it is full, for each track', () => {
    const index = new CueIndex(1000)
    for (let i = 0; i < 10_000; i++) {
      index.offer(1, true, true, i * 1000, i, 0)
      index.offer(2, true, true, i * 1000 + 10, i, 9)
    }
    expect(index.length).toBeLessThanOrEqual(1000)
    expect(index.length).toBeGreaterThan(300)
    const times = cuesIn([...index.pieces()].map((piece) => piece.slice()))
    for (const remainder of [0, 10]) {
      const own = times.filter((time) => time % 1000 === remainder)
      const steps = own.slice(1).map((time, i) => time - own[i])
      expect(own[0]).toBe(remainder)
      expect(own.at(-1)).toBeGreaterThan(9_900_000)
      expect(Math.max(...steps)).toBeLessThanOrEqual(64_000)
    }
  })

  it('stays small for streams of keyframes alone', () => {
    const index = new CueIndex()
    for (let i = 0; i < 1000; i++) index.offer(1, true, true, i * 20, 0, 0)
    expect(index.length).toBeLessThanOrEqual(80)
  })

  it('writes its entries in the order of their time', () => {
    const index = new CueIndex()
    for (const ms of [0, 5000, 2000, 9000]) index.offer(ms === 2000 ? 2 : 1, true, true, ms, 0, 0)
    expect(cuesIn([...index.pieces()])).toEqual([0, 2000, 5000, 9000])
  })
})
