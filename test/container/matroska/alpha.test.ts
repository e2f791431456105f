import { describe, expect, it } from 'vitest'
import { childrenOf, type Element, elementsOf, readUint } from '../../../src/container/matroska/ebml.ts'
import * as E from '../../../src/container/matroska/elements.ts'
import { MatroskaMuxer } from '../../../src/container/matroska/muxer.ts'
import { openMatroska } from '../../../src/container/matroska/reader.ts'
import { repairMatroska } from '../../../src/container/matroska/repair.ts'
import { Frame } from '../../../src/media/frame.ts'
import type { Track } from '../../../src/media/track.ts'
import { recordedBytes } from '../../ingest/upload-rig.ts'
import { blockBytes, cluster, foreignFile, info, tracks } from './foreign.ts'
import { MemoryFile, MemorySink } from './memory-file.ts'

type Picture = { ms: number; key: boolean; data: string; alpha: string | undefined }

const hex = (bytes: Uint8Array, { offset, size }: { offset: number; size: number }) =>
  Buffer.from(bytes.buffer, bytes.byteOffset + offset, size).toString('hex')

/** The pictures of a file, with their alpha channels. */
async function picturesOf(bytes: Uint8Array): Promise<{ track: Track; pictures: Picture[] }> {
  const reader = await openMatroska(new MemoryFile(bytes))
  const pictures: Picture[] = []
  for await (const { pts, key, alpha, ...place } of reader.samples()) {
    pictures.push({ ms: pts, key, data: hex(bytes, place), alpha: alpha && hex(bytes, alpha) })
  }
  return { track: reader.tracks[0], pictures }
}

/** What Chromium recorded of a canvas that can be seen through, written anew. */
async function rewritten(docType: 'webm' | 'matroska'): Promise<{ left: Uint8Array; whole: Uint8Array }> {
  const { track, pictures } = await picturesOf(recordedBytes('alpha.webm'))
  const out = new MemorySink()
  const muxer = new MatroskaMuxer(out, { docType })
  muxer.start([track])
  for (const { ms, key, data, alpha = '' } of pictures) {
    const both = Buffer.from(data + alpha, 'hex')
    const dataBytes = data.length / 2
    muxer.write(new Frame(track, ms, ms, key, both.subarray(0, dataBytes), undefined, both.length - dataBytes))
  }
  const left = out.bytes()
  await muxer.finish()
  return { left, whole: out.bytes() }
}

const childOf = (parent: Element, id: number): Element => {
  for (const child of childrenOf(parent, 'test')) if (child.id === id) return child
  throw new Error(`no element ${id.toString(16)}`)
}

describe('alpha', () => {
  it('of a canvas is kept, and said in the header, beside its colours', async () => {
    const { whole } = await rewritten('webm')
    const { track, pictures } = await picturesOf(recordedBytes('alpha.webm'))
    const again = await picturesOf(whole)
    expect(again.pictures).toEqual(pictures)
    expect(pictures.filter(({ alpha }) => alpha !== undefined).length).toBeGreaterThan(30)
    expect(again.track).toMatchObject({
      hasAlpha: true,
      colour: { primaries: 1, transfer: 13, matrix: 1, fullRange: true },
    })
    expect(again.track).toEqual(track)
    const [, segment] = elementsOf(whole, 0, 'file')
    const entry = childOf(childOf(segment, E.TRACKS), E.TRACK_ENTRY)
    expect(readUint(childOf(entry, E.MAX_BLOCK_ADDITION_ID))).toBe(1)
    expect(readUint(childOf(childOf(entry, E.VIDEO), E.ALPHA_MODE))).toBe(1)
  })

  it('is there in every file that was cut anywhere, of every picture that is', async () => {
    const { left } = await rewritten('matroska')
    const { pictures } = await picturesOf(left)
    for (let cut = left.length - 2000; cut < left.length; cut += 7) {
      const file = new MemoryFile(left.slice(0, cut))
      await repairMatroska(file)
      const kept = await picturesOf(file.bytes)
      expect(kept.pictures).toEqual(pictures.slice(0, kept.pictures.length))
      expect((await repairMatroska(file)).changed).toBe(false)
    }
  })

  it('needs a file that says so: no other one goes on with it', async () => {
    const { track } = await picturesOf(recordedBytes('alpha.webm'))
    if (track.kind !== 'video') throw new Error('no picture')
    const { hasAlpha: _, ...opaque } = track
    const muxer = new MatroskaMuxer(new MemorySink())
    muxer.start([opaque])
    expect(muxer.accepts({ ...track, epoch: 1 })).toBe(false)
    expect(muxer.accepts({ ...opaque, epoch: 1 })).toBe(true)
  })

  it.each([
    ['without an end', [0x75, 0xa1, 0x90, 0xa6, 0x8f, 0xa5, 0xff]],
    ['of another kind', [0x75, 0xa1, 0x88, 0xa6, 0x86, 0xee, 0x81, 0x04, 0xa5, 0x81, 0x07]],
    ['of nothing', [0x75, 0xa1, 0x80]],
  ])('%s is none', async (_, additions) => {
    const file = foreignFile([
      info,
      tracks((entry) => entry.master(E.VIDEO, (video) => video.uint(E.ALPHA_MODE, 1))),
      cluster(0, (out) =>
        out.master(E.BLOCK_GROUP, (group) => {
          group.binary(E.BLOCK, blockBytes(1, 0, 0, [1, 2, 3])).raw(Uint8Array.from(additions))
        }),
      ),
    ])
    const { pictures } = await picturesOf(file)
    expect(pictures).toEqual([{ ms: 0, key: true, data: '010203', alpha: undefined }])
  })
})
