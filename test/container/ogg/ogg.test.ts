import { describe, expect, it } from 'vitest'
import { OggMuxer } from '../../../src/container/ogg/muxer.ts'
import { LAST_PAGE, readPage, segmentsOf, writePage } from '../../../src/container/ogg/page.ts'
import { openOgg } from '../../../src/container/ogg/reader.ts'
import { repairOgg } from '../../../src/container/ogg/repair.ts'
import type { Sample } from '../../../src/container/reader.ts'
import { MisuseError, UnsupportedError } from '../../../src/media/errors.ts'
import { Frame } from '../../../src/media/frame.ts'
import { MemoryFile, MemorySink } from '../matroska/memory-file.ts'
import { realTrack, video } from '../matroska/tracks.ts'

const track = { ...realTrack(1, 'opus', 'opus-stereo', 48_000), label: 'microphone', language: 'deu' }
/** Stereo CELT at full bandwidth, 20 ms in one frame. */
const TOC = 0xfc
const TICKS = 960

const packet = (i: number) => new Uint8Array(40 + (i % 5) * 120).fill(i).fill(TOC, 0, 1)

function muxed(atTicks: Iterable<number>): { muxer: OggMuxer; out: MemorySink } {
  const out = new MemorySink()
  const muxer = new OggMuxer(out, { title: 'Täst', creationTimeMs: Date.UTC(2026, 10, 21) })
  muxer.start([track])
  let i = 0
  for (const at of atTicks) muxer.write(new Frame(track, at, at, true, packet(i++)))
  muxer.flush()
  return { muxer, out }
}

function* times(count: number, from = 0): Generator<number> {
  for (let i = 0; i < count; i++) yield from + i * TICKS
}

async function samplesOf(bytes: Uint8Array): Promise<(Sample & { data: Buffer })[]> {
  const file = new MemoryFile(bytes)
  const samples = []
  for await (const sample of (await openOgg(file)).samples()) {
    samples.push({ ...sample, data: Buffer.from(await file.read(sample.offset, sample.size)) })
  }
  return samples
}

function pagesOf(bytes: Uint8Array) {
  const pages = []
  for (let at = 0; at < bytes.length; ) {
    const page = readPage(bytes.subarray(at))
    if (typeof page === 'string') throw new Error(`${page} page at ${at}`)
    pages.push(page)
    at += page.sizeBytes
  }
  return pages
}

describe('pages', () => {
  it('have the checksum of RFC 3533', () => {
    // the first page of an Opus file as libogg wrote it
    const page = Buffer.from(
      '4f67675300020000000000000000a2e2c1d10000000000000000' + '0113' + '4f707573486561640101380180bb0000000000',
      'hex',
    )
    const facts = { flags: 2, granule: 0, serial: 0xd1c1e2a2, sequence: 0 }
    const written = writePage(facts, [page.subarray(28)])
    expect(readPage(written)).toMatchObject({ ...facts, sizeBytes: 47 })
    for (let at = 0; at < written.length; at++) {
      const torn = written.slice()
      torn[at] ^= 0x10
      expect(typeof readPage(torn)).toBe('string')
    }
  })

  it.each([0, 1, 254, 255, 256, 510, 65_000])('hold a packet of %i bytes', (bytes) => {
    const page = writePage({ flags: 0, granule: -1, serial: 7, sequence: 9 }, [new Uint8Array(bytes).fill(3)])
    const read = readPage(page)
    expect(read).toMatchObject({ granule: -1, packets: [{ ends: true, isContinued: false }] })
    expect(page.length).toBe(27 + segmentsOf(bytes) + bytes)
    expect(readPage(page.subarray(0, page.length - 1))).toBe('short')
  })
})

describe('a file', () => {
  it('holds every packet with its time, in pages of half a second, valid at every flush', async () => {
    const { muxer, out } = muxed(times(100))
    const growing = out.bytes()
    await muxer.finish()
    const whole = out.bytes()
    for (const bytes of [growing, whole]) {
      const samples = await samplesOf(bytes)
      expect(samples.map(({ pts }) => pts)).toEqual([...times(100)])
      expect(samples.map(({ data }) => data)).toEqual(samples.map((_, i) => Buffer.from(packet(i))))
    }
    const pages = pagesOf(whole)
    expect(pages.map(({ sequence }) => sequence)).toEqual([0, 1, 2, 3, 4, 5])
    expect(pages.map(({ granule }) => granule)).toEqual([0, 0, 24_000, 48_000, 72_000, 96_000])
    expect(pages.map(({ flags }) => flags)).toEqual([2, 0, 0, 0, 0, LAST_PAGE])
    const reader = await openOgg(new MemoryFile(whole))
    expect(reader).toMatchObject({ finalised: true, statedDurationMs: 2000, title: 'Täst', faults: [] })
    expect(reader.tracks).toEqual([track])
    expect(await openOgg(new MemoryFile(growing))).toMatchObject({ finalised: false, statedDurationMs: undefined })
  })

  it('keeps gaps as they were: packets that ask for concealment fill them', async () => {
    const late = 96_000 + 7 * 120 + 13
    const { muxer, out } = muxed([...times(10), ...times(10, late)])
    await muxer.finish()
    const samples = await samplesOf(out.bytes())
    const sent = samples.filter(({ size }) => size > 2)
    expect(sent).toHaveLength(20)
    expect(sent[9].pts).toBe(9 * TICKS)
    expect(Math.abs(sent[10].pts - late)).toBeLessThan(120)
    expect(sent[19].pts - sent[10].pts).toBe(9 * TICKS)
    const fill = samples.filter(({ size }) => size <= 2)
    expect(fill.map(({ data }) => data[0] & 0xfc)).toEqual([...Array(fill.length - 1).fill(TOC), 0xe4])
  })

  it('makes nothing of what is only rounding, and follows drift', async () => {
    const out = new MemorySink()
    const ms = { ...track, timescale: 1000 }
    const muxer = new OggMuxer(out)
    muxer.start([ms])
    // 1000 ppm fast, in whole milliseconds
    for (let i = 0; i < 1000; i++) {
      const at = Math.round(i * 20.02)
      muxer.write(new Frame(ms, at, at, true, packet(0)))
    }
    await muxer.finish()
    const sent = (await samplesOf(out.bytes())).filter(({ size }) => size > 2)
    expect(Math.max(...sent.map(({ pts }, i) => Math.abs(pts / 48 - i * 20.02)))).toBeLessThan(11)
  })

  it('begins where its sound does', async () => {
    const { muxer, out } = muxed(times(3, 4800))
    await muxer.finish()
    expect((await samplesOf(out.bytes())).map(({ pts }) => pts)).toEqual([...times(3, 4800)])
  })

  it('takes one track of Opus, and that as it is', () => {
    expect(() => new OggMuxer(new MemorySink()).start([track, { ...track, id: 2 }])).toThrow(UnsupportedError)
    expect(() => new OggMuxer(new MemorySink()).start([video])).toThrow(UnsupportedError)
    const { muxer } = muxed(times(1))
    expect(muxer.accepts({ ...track, epoch: 1 })).toBe(true)
    expect(muxer.accepts({ ...track, id: 2 })).toBe(false)
    expect(muxer.accepts({ ...realTrack(1, 'opus', 'opus-51', 48_000), epoch: 1 })).toBe(false)
    expect(muxer.accepts(video)).toBe(false)
    expect(() => muxer.add(video)).toThrow(MisuseError)
    expect(() => muxer.write(new Frame({ ...video, id: 2 }, 0, 0, true, packet(0)))).toThrow(MisuseError)
  })
})

describe('repair', () => {
  it('of a file cut anywhere keeps every whole page, and gives what a clean end would have given', async () => {
    const { out } = muxed(times(60))
    const growing = out.bytes()
    let end = 0
    const ends = pagesOf(growing).map(({ sizeBytes }) => {
      end += sizeBytes
      return end
    })
    for (let cut = 0; cut <= growing.length; cut += 97) {
      const file = new MemoryFile(growing.slice(0, cut))
      const whole = ends.filter((at) => at <= cut)
      const report = await repairOgg(file)
      const again = await repairOgg(new MemoryFile(file.bytes))
      expect(again).toMatchObject({ changed: false, frames: report.frames, lostBytes: 0 })
      if (whole.length === 0) {
        expect(report).toMatchObject({ changed: false, frames: 0 })
        continue
      }
      const frames = [0, 0, 25, 50, 60][whole.length - 1]
      expect(report).toMatchObject({ frames, durationMs: frames * 20, lostBytes: cut - (whole.at(-1) ?? 0) })
      const reader = await openOgg(new MemoryFile(file.bytes))
      expect(reader.finalised).toBe(frames > 0)
      expect(await samplesOf(file.bytes)).toHaveLength(frames)
    }
  })

  it('passes over damage in the middle', async () => {
    const { muxer, out } = muxed(times(100))
    await muxer.finish()
    const bytes = out.bytes()
    const [head, tags, first] = pagesOf(bytes)
    bytes[head.sizeBytes + tags.sizeBytes + first.sizeBytes + 400] ^= 1
    const reader = await openOgg(new MemoryFile(bytes))
    const found = []
    for await (const { pts } of reader.samples()) found.push(pts)
    expect(found).toEqual([...times(25), ...times(50, 48_000)])
    expect(reader.faults.map(({ kind }) => kind)).toEqual(['garbage'])
    expect(await repairOgg(new MemoryFile(bytes))).toMatchObject({ changed: false, frames: 75 })
  })
})
