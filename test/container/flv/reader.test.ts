import { describe, expect, it } from 'vitest'
import { attack } from '../../../fuzz/attack.ts'
import { target } from '../../../fuzz/flv-reader.ts'
import { openFlv } from '../../../src/container/flv/reader.ts'
import { repairFlv } from '../../../src/container/flv/repair.ts'
import { fileHeader, TAG_TYPE, wholeTag } from '../../../src/container/flv/tag-header.ts'
import { MalformedError } from '../../../src/media/errors.ts'
import { Frame } from '../../../src/media/frame.ts'
import { fileOf, mux, readSamples } from './memory-flv.ts'
import { vector } from './vector.ts'

const h264 = vector('h264-480p', 1)
const aac = vector('aac-stereo', 2)

/** Video at 25 fps and audio beside it, a keyframe every fifth frame. */
function frames(count: number): Frame[] {
  return Array.from({ length: count }, (_, i) => {
    if (i % 2 === 1) return new Frame(aac.track, i * 20, i * 20, true, aac.packets[i % 4].data)
    const isKey = i % 10 === 0
    return new Frame(h264.track, i * 20, i * 20 + 40, isKey, h264.packets[isKey ? 0 : 1].data)
  })
}

async function inspect(bytes: Uint8Array) {
  const reader = await openFlv(await fileOf(bytes))
  const samples = []
  for await (const sample of reader.samples()) samples.push(sample)
  return { reader, samples, faults: reader.faults.map(({ kind }) => kind) }
}

/** Where each tag begins, by the book. */
function tagOffsets(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const offsets = []
  for (let at = 13; at < bytes.length; at += (view.getUint32(at) & 0xffffff) + 15) offsets.push(at)
  return offsets
}

const whole = await mux([h264.track, aac.track], frames(40))
const offsets = tagOffsets(whole)
const middle = offsets[20]

describe('openFlv', () => {
  it('reads the same twice, with the same tracks', async () => {
    const file = await fileOf(whole)
    const reader = await openFlv(file)
    const passes = [[], []] as ReturnType<typeof Object>[][]
    for (const pass of passes) for await (const sample of reader.samples()) pass.push(sample)
    expect(passes[0]).toHaveLength(40)
    expect(passes[1]).toEqual(passes[0])
    expect(passes[1][0].track).toBe(passes[0][0].track)
    expect(reader.tracks[0]).toBe(passes[0][0].track)
  })

  it('passes over garbage between tags', async () => {
    const garbage = Uint8Array.from({ length: 5000 }, (_, i) => (i * 7) & 0xff)
    const { samples, faults } = await inspect(
      Buffer.concat([whole.subarray(0, middle), garbage, whole.subarray(middle)]),
    )
    expect(samples).toHaveLength(40)
    expect(faults).toEqual(['garbage'])
  })

  it('loses one tag to a header overwritten, not the rest', async () => {
    const bytes = Uint8Array.from(whole).fill(0xff, middle, middle + 4)
    const { samples, faults } = await inspect(bytes)
    expect(samples).toHaveLength(39)
    expect(faults).toEqual(['garbage'])
  })

  it('reads on where the sizes behind tags are wrong or missing', async () => {
    const wrong = Uint8Array.from(whole)
    for (const at of offsets.slice(1)) wrong.fill(0xee, at - 4, at)
    expect((await inspect(wrong)).samples).toHaveLength(40)
    const pieces = offsets.map((at, i) => whole.subarray(at, (offsets[i + 1] ?? whole.length) - 4))
    const missing = await inspect(Buffer.concat([whole.subarray(0, 13), ...pieces]))
    expect(missing.samples).toHaveLength(40)
    expect(missing.faults).toContain('missing-size')
  })

  it('ends before a torn tail and says so', async () => {
    const { samples, reader, faults } = await inspect(whole.subarray(0, whole.length - 20))
    expect(samples).toHaveLength(39)
    expect(faults).toEqual(['torn-tail'])
    expect(reader.finalised).toBe(false)
  })

  it('notes frames without configuration, broken configurations, broken tags, and codecs it does not know', async () => {
    const bytes = Buffer.concat([
      fileHeader(5),
      wholeTag(TAG_TYPE.SCRIPT, 0, Uint8Array.of(2, 0, 10, 1)),
      wholeTag(TAG_TYPE.VIDEO, 0, Uint8Array.of(0x17, 1, 0, 0, 0, 9)),
      wholeTag(TAG_TYPE.VIDEO, 0, Uint8Array.of(0x17, 0, 0, 0, 0, 9)),
      wholeTag(TAG_TYPE.VIDEO, 0, Uint8Array.of(0x17, 1)),
      wholeTag(TAG_TYPE.AUDIO, 0, Uint8Array.of(0xb6, 1)),
      wholeTag(TAG_TYPE.AUDIO, 0, Uint8Array.of(0xb6, 2)),
    ])
    const { samples, faults } = await inspect(bytes)
    expect(samples).toEqual([])
    expect(faults).toEqual(['bad-metadata', 'no-config', 'bad-config', 'bad-tag', 'unsupported'])
  })

  it('refuses what does not begin as FLV', async () => {
    await expect(openFlv(await fileOf(Buffer.from('RIFF1234WAVE')))).rejects.toThrow(MalformedError)
    await expect(openFlv(await fileOf(new Uint8Array(0)))).rejects.toThrow(MalformedError)
  })
})

describe('repairFlv', () => {
  it('leaves a whole file alone', async () => {
    const file = await fileOf(whole)
    const report = await repairFlv(file)
    expect(report).toMatchObject({ changed: false, frames: 40, durationMs: 840, lostBytes: 0, faults: [] })
    expect(Buffer.compare(await file.read(0, file.sizeBytes), whole)).toBe(0)
  })

  it('makes of an unfinished file what finishing had made of it', async () => {
    const file = await fileOf(await mux([h264.track, aac.track], frames(40), { unfinished: true }))
    const progress: number[] = []
    expect((await repairFlv(file, (done) => progress.push(done))).changed).toBe(true)
    expect(Buffer.compare(await file.read(0, file.sizeBytes), whole)).toBe(0)
    expect(progress.at(-1)).toBe(file.sizeBytes)
    expect((await repairFlv(file)).changed).toBe(false)
  })

  it('mends a file cut at any byte behind its metadata', async () => {
    const unfinished = await mux([h264.track, aac.track], frames(16), { unfinished: true })
    const begin = tagOffsets(unfinished)[1]
    for (let size = begin; size < unfinished.length; size++) {
      const file = await fileOf(unfinished.subarray(0, size))
      const expected = (await readSamples(file)).length
      const report = await repairFlv(file)
      expect(report.frames).toBe(expected)
      const reader = await openFlv(file)
      expect(reader.faults).toEqual([])
      if (expected > 0) expect(reader.finalised).toBe(true)
      expect(await readSamples(file)).toHaveLength(expected)
    }
  })

  it('survives files cut within header and metadata', async () => {
    for (let size = 0; size < 600; size++) {
      const file = await fileOf(whole.subarray(0, size))
      const { frames: found } = await repairFlv(file)
      expect(found).toBe(0)
    }
  })

  it('cuts zeros that a power cut left, and keeps foreign metadata', async () => {
    const foreign = Buffer.from(whole)
    foreign.set(Buffer.from('tapedock'), foreign.indexOf('tapedeck'))
    const file = await fileOf(Buffer.concat([foreign, new Uint8Array(4096)]))
    const report = await repairFlv(file)
    expect(report).toMatchObject({ changed: true, frames: 40, lostBytes: 4096 })
    expect(Buffer.compare(await file.read(0, file.sizeBytes), foreign)).toBe(0)
  })

  it('cuts nothing where it knows nothing', async () => {
    const file = await fileOf(Buffer.concat([fileHeader(5), Buffer.alloc(50_000, 0x55)]))
    expect(await repairFlv(file)).toMatchObject({ changed: false, frames: 0, lostBytes: 0 })
    expect(file.sizeBytes).toBe(50_013)
  })
})

it('throws nothing but its own errors at mutated files, and repairs each for good', async () => {
  expect((await attack(target, 3000, 1)).finding).toBeUndefined()
})

it('attacks with a file that is good', async () => {
  const { samples, faults } = await inspect(target.seeds()[0])
  expect(samples.map(({ track }) => track.codec)).toEqual(['h264', 'aac', 'h264', 'opus', 'vp8'])
  expect(faults).toEqual([])
})
