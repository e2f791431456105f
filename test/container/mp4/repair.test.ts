import { describe, expect, test } from 'vitest'
import { openMp4 } from '../../../src/container/mp4/reader.ts'
import { repairMp4 } from '../../../src/container/mp4/repair.ts'
import type { Frame } from '../../../src/media/frame.ts'
import { asRead, audio, frame, MemoryFile, readAll, recording, talk, video } from './synthetic.ts'

/** The same recording growing and finished. */
async function twoStates(frames: readonly Frame[]): Promise<{ growing: Uint8Array; finished: Uint8Array }> {
  const { muxer, bytes } = await recording([video, audio], { title: 'Titel', creationTimeMs: 1_700_000_000_000 })
  for (const next of frames) muxer.write(next)
  muxer.flush()
  const growing = bytes()
  await muxer.finish()
  return { growing, finished: bytes() }
}

/** Where each `moof` begins. */
function fragmentStarts(bytes: Uint8Array): number[] {
  const starts: number[] = []
  const buffer = Buffer.from(bytes)
  for (let at = buffer.indexOf('moof'); at >= 0; at = buffer.indexOf('moof', at + 1)) starts.push(at - 4)
  return starts
}

test('a growing file becomes the very file that finishing it would have made', async () => {
  const { growing, finished } = await twoStates(talk(3))
  const file = new MemoryFile(growing)
  const report = await repairMp4(file)
  expect(report).toMatchObject({ changed: true, frames: talk(3).length, lostBytes: 0, faults: [] })
  expect(Buffer.from(file.bytes).equals(finished)).toBe(true)
})

test('the index is on stable storage before it is put to use', async () => {
  const { growing } = await twoStates(talk(1))
  const file = new MemoryFile(growing)
  await repairMp4(file)
  expect(file.acts.slice(-3)).toEqual(['sync', 'write 16', 'sync'])
})

test('a finished file is left alone', async () => {
  const { finished } = await twoStates(talk(2))
  const file = new MemoryFile(finished)
  expect(await repairMp4(file)).toMatchObject({ changed: false, frames: talk(2).length, lostBytes: 0, faults: [] })
  expect(file.acts).toEqual([])
})

test('what was appended but not put to use is made anew; so is what was torn in the middle of it', async () => {
  const frames = talk(2)
  const { growing, finished } = await twoStates(frames)
  for (let end = growing.length + 1; end <= finished.length; end += 7) {
    const unpatched = finished.slice(0, end)
    unpatched.set(growing.subarray(0, 100))
    const file = new MemoryFile(unpatched)
    expect(await repairMp4(file)).toMatchObject({ changed: true, frames: frames.length })
    expect(Buffer.from(file.bytes).equals(finished)).toBe(true)
  }
})

test('an end of zeros, as a power cut leaves it, is cut off', async () => {
  const { growing } = await twoStates(talk(2))
  const file = new MemoryFile(Buffer.concat([growing, new Uint8Array(5000)]))
  expect(await repairMp4(file)).toMatchObject({ changed: true, frames: talk(2).length, lostBytes: 5000 })
  expect((await readAll(file.bytes)).samples).toEqual(asRead(talk(2)))
})

test('garbage in the middle costs one fragment, not what follows', async () => {
  const { growing } = await twoStates(talk(5))
  const starts = fragmentStarts(growing)
  const broken = growing.slice()
  broken.fill(0xee, starts[4], starts[4] + 30)
  const file = new MemoryFile(broken)
  const report = await repairMp4(file)
  expect(report.faults).toMatchObject([{ kind: 'garbage', offset: starts[4] }])
  expect(report.frames).toBeGreaterThan(talk(5).length * 0.8)
  expect((await readAll(file.bytes)).samples).toHaveLength(report.frames)
})

/** Tears at every byte of the last 64 KiB; a second repair must find nothing to do. */
async function tearEverywhere(bytes: Uint8Array, starts: readonly number[], framesPerFragment: readonly number[]) {
  for (let end = Math.max(0, bytes.length - 65_536); end < bytes.length; end++) {
    const file = new MemoryFile(bytes.subarray(0, end))
    const report = await repairMp4(file)
    const whole = framesPerFragment.filter((_, i) => (starts[i + 1] ?? Number.POSITIVE_INFINITY) <= end)
    const expected = whole.reduce((sum, count) => sum + count, 0)
    if (report.frames !== expected) throw new Error(`torn at ${end}: ${report.frames} frames, not ${expected}`)
    if (end % 97 === 0 && expected > 0) {
      expect((await readAll(file.bytes)).samples).toHaveLength(expected)
      expect(await repairMp4(file)).toMatchObject({ changed: false, frames: expected })
    }
  }
}

describe('torn at every byte of the last 64 KiB', { timeout: 120_000 }, () => {
  // few and large, so that each of the 65 536 repairs has little to do
  const frames = Array.from({ length: 28 }, (_, i) => frame(video, i * 125, { key: i % 4 === 0, size: 2200 + i }))

  async function layout(growing: Uint8Array) {
    const starts = fragmentStarts(growing)
    const counts: number[] = []
    for (let i = 0; i < starts.length; i++) {
      const before = await readAll(growing.subarray(0, starts[i + 1] ?? growing.length))
      counts.push(before.samples.length - counts.reduce((sum, count) => sum + count, 0))
    }
    return { starts: [...starts, growing.length], counts }
  }

  test('while it grows', async () => {
    const { growing } = await twoStates(frames)
    expect(growing.length).toBeGreaterThan(65_536)
    const { starts, counts } = await layout(growing)
    await tearEverywhere(growing, starts, counts)
  })

  test('after it was finished: everything but the torn fragment comes back', async () => {
    const { growing, finished } = await twoStates(frames)
    const { starts, counts } = await layout(growing)
    await tearEverywhere(finished, starts, counts)
  })

  test('a file of a second, from its first byte on', async () => {
    const { growing } = await twoStates(talk(1))
    const { starts, counts } = await layout(growing)
    await tearEverywhere(growing, starts, counts)
  })
})

test('files of others in fragments lose their torn tail and nothing else', async () => {
  const { growing } = await twoStates(talk(2))
  const foreign = Buffer.concat([growing.subarray(0, 32), growing.subarray(48)]) // without the reserved bytes
  const file = new MemoryFile(foreign.subarray(0, foreign.length - 10))
  const report = await repairMp4(file)
  expect(report).toMatchObject({ changed: true, faults: [{ kind: 'torn-tail' }] })
  expect(report.frames).toBeLessThan(talk(2).length)
  expect(file.acts).toEqual(['truncate', 'sync'])
  expect(Buffer.from(file.bytes).equals(foreign.subarray(0, file.sizeBytes))).toBe(true)
  expect(await repairMp4(file)).toMatchObject({ changed: false, frames: report.frames, faults: [] })
})

test('nothing there yet', async () => {
  for (const bytes of [new Uint8Array(0), (await recording([video])).bytes()]) {
    const file = new MemoryFile(bytes)
    expect(await repairMp4(file)).toMatchObject({ changed: false, frames: 0, durationMs: 0, lostBytes: 0 })
    expect(file.acts).toEqual([])
    await expect(openMp4(file)).rejects.toThrow('no header')
  }
})

test('progress goes from the beginning to the end', async () => {
  const { growing } = await twoStates(talk(2))
  const told: number[] = []
  await repairMp4(new MemoryFile(growing), (done, total) => {
    expect(total).toBe(growing.length)
    told.push(done)
  })
  expect(told.at(-1)).toBe(growing.length)
})
