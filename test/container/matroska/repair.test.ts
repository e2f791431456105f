import { describe, expect, it } from 'vitest'
import { elementsOf } from '../../../src/container/matroska/ebml.ts'
import * as E from '../../../src/container/matroska/elements.ts'
import { MatroskaMuxer } from '../../../src/container/matroska/muxer.ts'
import { openMatroska } from '../../../src/container/matroska/reader.ts'
import { repairMatroska } from '../../../src/container/matroska/repair.ts'
import type { Sample } from '../../../src/container/reader.ts'
import { MalformedError } from '../../../src/media/errors.ts'
import { Frame } from '../../../src/media/frame.ts'
import { cluster, foreignFile, info, openCluster, simpleBlock, tracks } from './foreign.ts'
import { MemoryFile, MemorySink } from './memory-file.ts'
import { audio, interleaved, video } from './tracks.ts'

/** A file of 300 pictures and 600 sounds, some 70 KB: as it is left without `finish`, and whole. */
async function recorded(count = 300, videoBytes = 150): Promise<{ left: Uint8Array; whole: Uint8Array }> {
  const out = new MemorySink()
  const muxer = new MatroskaMuxer(out)
  muxer.start([video, audio])
  for (const frame of interleaved(count, videoBytes)) muxer.write(frame)
  const left = out.bytes()
  await muxer.finish()
  return { left, whole: out.bytes() }
}

async function look(bytes: Uint8Array) {
  const reader = await openMatroska(new MemoryFile(bytes))
  let frames = 0
  for await (const _ of reader.samples()) frames++
  return { frames, finalised: reader.finalised, durationMs: reader.statedDurationMs, faults: reader.faults }
}

/** Goes through a repaired file as a strict reader would: every size known, nothing beyond its parent. */
function inspectStrictly(bytes: Uint8Array): void {
  const [, segment, ...more] = elementsOf(bytes, 0, 'file')
  expect(more).toEqual([])
  for (const child of elementsOf(segment.data, segment.dataOffset, 'segment')) {
    expect(E.isTopLevel(child.id) || child.id === E.VOID).toBe(true)
    if (child.id !== E.CLUSTER) continue
    const [timestamp, ...blocks] = elementsOf(child.data, child.dataOffset, 'cluster')
    expect(timestamp.id).toBe(E.TIMESTAMP)
    expect(blocks.length).toBeGreaterThan(0)
    expect(blocks.every(({ id }) => id === E.SIMPLE_BLOCK)).toBe(true)
  }
}

describe('repairMatroska', () => {
  it('does not touch a whole file', async () => {
    const { whole } = await recorded()
    const file = new MemoryFile(whole)
    const report = await repairMatroska(file)
    expect(report).toEqual({ changed: false, frames: 900, durationMs: expect.any(Number), lostBytes: 0, faults: [] })
    expect(file.writes).toBe(0)
  })

  it('does not touch one whose duration is no whole number', async () => {
    const cd = { ...audio, timescale: 44_100 }
    // Of these lengths, in frames of 1024 samples, the milliseconds times a million do not divide back to themselves.
    for (const count of [137, 157, 274]) {
      const durationMs = (count * 1024 * 1000) / 44_100
      expect((durationMs * 1e6) / 1e6).not.toBe(durationMs)
      const out = new MemorySink()
      const muxer = new MatroskaMuxer(out)
      muxer.start([cd])
      for (let n = 0; n < count; n++) muxer.write(new Frame(cd, n * 1024, n * 1024, true, Uint8Array.of(n & 0xff)))
      await muxer.finish()
      const file = new MemoryFile(out.bytes())
      expect((await look(file.bytes)).durationMs).toBe(durationMs)
      expect((await repairMatroska(file)).changed).toBe(false)
    }
  })

  it('completes what was left without an end, as finish would have', async () => {
    const { left, whole } = await recorded()
    const file = new MemoryFile(left)
    expect(await repairMatroska(file)).toMatchObject({ changed: true, frames: 900, lostBytes: 0, faults: [] })
    const { durationMs: repaired } = await look(file.bytes)
    const { durationMs: finished } = await look(whole)
    expect(Math.abs((repaired ?? 0) - (finished ?? 0))).toBeLessThanOrEqual(40)
    expect(file.bytes.length).toBe(whole.length)
    const again = await repairMatroska(file)
    expect(again.changed).toBe(false)
  })

  it('goes on wherever finish was interrupted', async () => {
    const out = new MemorySink()
    const muxer = new MatroskaMuxer(out)
    muxer.start([video, audio])
    for (const frame of interleaved(100)) muxer.write(frame)
    const left = out.steps.length
    await muxer.finish()
    expect(out.steps.length).toBeGreaterThanOrEqual(left + 5)
    const whole = out.bytes()
    for (let steps = left; steps <= out.steps.length; steps++) {
      const file = new MemoryFile(new Uint8Array(0))
      for (const { offset, bytes } of out.steps.slice(0, steps)) await file.write(offset, bytes)
      expect((await look(file.bytes)).frames).toBe(300)
      const report = await repairMatroska(file)
      expect(report.changed).toBe(steps < out.steps.length)
      expect(await look(file.bytes)).toMatchObject({ frames: 300, finalised: true, faults: [] })
      inspectStrictly(file.bytes)
      expect(file.bytes.length).toBe(whole.length)
      expect((await repairMatroska(file)).changed).toBe(false)
    }
  })

  it('may be interrupted itself at each of its steps', async () => {
    const { left } = await recorded()
    const cut = left.subarray(0, left.length - 5)
    const full = new MemoryFile(cut)
    await repairMatroska(full)
    for (let steps = 0; steps <= full.writes; steps++) {
      const file = new MemoryFile(cut)
      const write = file.write.bind(file)
      file.write = async (offset, bytes) => {
        if (file.writes === steps) throw new Error('the power went')
        await write(offset, bytes)
      }
      await repairMatroska(file).catch(() => {})
      expect((await look(file.bytes)).frames).toBe(899)
      const second = new MemoryFile(file.bytes)
      await repairMatroska(second)
      inspectStrictly(second.bytes)
      expect(await look(second.bytes)).toMatchObject({ frames: 899, finalised: true, faults: [] })
    }
  })

  it('repairs a file torn at every byte of its last 64 KiB', { timeout: 120_000 }, async () => {
    for (const bytes of Object.values(await recorded(40, 1700))) {
      expect(bytes.length).toBeGreaterThan(64 * 1024)
      let framesBefore = 120
      for (let length = bytes.length; length > bytes.length - 64 * 1024; length--) {
        const file = new MemoryFile(bytes.subarray(0, length))
        const report = await repairMatroska(file)
        if (report.frames > framesBefore || framesBefore - report.frames > 1) {
          expect.fail(`${report.frames} frames at ${length} bytes, ${framesBefore} with one byte more`)
        }
        framesBefore = report.frames
        if (length % 37 !== 0) continue
        expect((await repairMatroska(file)).changed).toBe(false)
        const seen = await look(file.bytes)
        expect([seen.frames, seen.faults]).toEqual([report.frames, []])
        inspectStrictly(file.bytes)
        expect(seen.finalised).toBe(report.frames > 0)
      }
      expect(framesBefore).toBeLessThan(20)
    }
  })

  it('states what is left of a finished file that lost its end between two blocks', async () => {
    const { whole } = await recorded()
    const samples: Sample[] = []
    for await (const sample of (await openMatroska(new MemoryFile(whole))).samples()) samples.push(sample)
    const { offset, size, pts } = samples[samples.length >> 1]
    const file = new MemoryFile(whole.slice(0, offset + size))
    expect(await repairMatroska(file)).toMatchObject({ changed: true, lostBytes: 0 })
    inspectStrictly(file.bytes)
    const { finalised, durationMs, faults } = await look(file.bytes)
    expect([finalised, faults]).toEqual([true, []])
    expect(Math.abs((durationMs ?? 0) - pts)).toBeLessThan(200)
  })

  it('leaves a file that ends within its header as it is', async () => {
    const { left } = await recorded(1)
    for (let length = 0; length < 300; length++) {
      const file = new MemoryFile(left.subarray(0, length))
      const report = await repairMatroska(file)
      expect([report.changed, report.frames, report.faults.map(({ kind }) => kind)]).toEqual([
        false,
        0,
        ['torn-header'],
      ])
    }
  })

  it('cuts only the torn end of a foreign file', async () => {
    const one = simpleBlock(1, 0, 0x80, [1, 2, 3])
    for (const sized of [true, false]) {
      for (const make of [cluster, openCluster]) {
        const bytes = foreignFile([info, tracks(), make(0, one), make(40, one, simpleBlock(1, 9, 0, [4, 5, 6]))], {
          sized,
        })
        const untouched = new MemoryFile(bytes)
        expect((await repairMatroska(untouched)).changed).toBe(false)
        const file = new MemoryFile(bytes.subarray(0, bytes.length - 2))
        expect(await repairMatroska(file)).toMatchObject({ changed: true, frames: 2, lostBytes: 7 })
        expect(file.writes).toBe(0)
        expect(Buffer.compare(file.bytes, bytes.subarray(0, bytes.length - 9))).toBe(0)
        expect((await repairMatroska(file)).changed).toBe(false)
      }
    }
  })

  it('does not cut media behind damage in the middle', async () => {
    const { left } = await recorded()
    const bytes = left.slice()
    bytes.fill(0, 30_021, 31_021) // within a block
    const file = new MemoryFile(bytes)
    const report = await repairMatroska(file)
    expect(report.faults.map(({ kind }) => kind)).toEqual(['garbage'])
    expect([report.lostBytes, report.changed]).toEqual([0, true])
    expect(report.frames).toBeGreaterThan(860)
    expect((await look(file.bytes)).finalised).toBe(true)
    expect((await repairMatroska(file)).changed).toBe(false)
  })

  it('mends the size of a whole Cluster when garbage at its end is cut with the tail', async () => {
    const { left } = await recorded()
    const clusterId = Buffer.of(0x1f, 0x43, 0xb6, 0x75)
    const lastCluster = Buffer.from(left).lastIndexOf(clusterId)
    // The last Cluster keeps its head and no block; of the one before, whose size is stated, the last bytes are gone.
    const bytes = left.slice(0, lastCluster + 22)
    bytes.fill(0, lastCluster - 18, lastCluster)
    const file = new MemoryFile(bytes)
    expect((await repairMatroska(file)).lostBytes).toBe(40)
    inspectStrictly(file.bytes)
    expect(await look(file.bytes)).toMatchObject({ finalised: true, faults: [] })
    expect((await repairMatroska(file)).changed).toBe(false)
  })

  it('cuts a tail of zeros, as a power cut leaves', async () => {
    const { left } = await recorded()
    const bytes = new Uint8Array(left.length + 5000)
    bytes.set(left)
    const file = new MemoryFile(bytes)
    expect(await repairMatroska(file)).toMatchObject({ changed: true, frames: 900, lostBytes: 5000 })
    expect(await look(file.bytes)).toMatchObject({ frames: 900, finalised: true, faults: [] })
  })

  it('tells how far it is, and refuses what is no Matroska', async () => {
    const { left } = await recorded(3000)
    const told: number[] = []
    await repairMatroska(new MemoryFile(left), (done, total) => told.push(done / total))
    expect(told.length).toBeGreaterThan(2)
    expect(told.at(-1)).toBe(1)
    expect([...told].sort((a, b) => a - b)).toEqual(told)
    await expect(repairMatroska(new MemoryFile(Buffer.from('no such thing at all')))).rejects.toThrow(MalformedError)
  })

  it('keeps elements of others behind the media', async () => {
    const bytes = foreignFile([
      info,
      tracks(),
      cluster(0, simpleBlock(1, 0, 0x80, [1])),
      (out) => out.binary(E.TAGS, new Uint8Array(50)),
    ])
    expect((await repairMatroska(new MemoryFile(bytes))).changed).toBe(false)
  })
})
