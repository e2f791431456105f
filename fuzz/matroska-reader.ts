import { TAGS } from '../src/container/matroska/elements.ts'
import { MatroskaMuxer } from '../src/container/matroska/muxer.ts'
import { openMatroska } from '../src/container/matroska/reader.ts'
import { repairMatroska } from '../src/container/matroska/repair.ts'
import { TapedeckError } from '../src/media/errors.ts'
import { Frame } from '../src/media/frame.ts'
import type { Track } from '../src/media/track.ts'
import {
  blockBytes,
  blockGroup,
  cluster,
  foreignFile,
  info,
  openCluster,
  simpleBlock,
  tracks,
} from '../test/container/matroska/foreign.ts'
import { MemoryFile, MemorySink } from '../test/container/matroska/memory-file.ts'
import { audio, interleaved, realTrack, video } from '../test/container/matroska/tracks.ts'
import type { FuzzTarget } from './target.ts'

const block = simpleBlock(1, 0, 0x80, [1, 2, 3])

/** A file of ours without the 8 KiB that are kept for late tracks, so that mutations meet something. */
async function own(isFinished: boolean): Promise<Uint8Array> {
  const out = new MemorySink()
  const muxer = new MatroskaMuxer(out, { title: 'a', creationTimeMs: 0 })
  muxer.start([
    video,
    audio,
    realTrack(3, 'opus', 'opus-stereo'),
    realTrack(4, 'flac', 'flac'),
    realTrack(5, 'vp9', 'vp9'),
  ])
  for (const frame of interleaved(12, 5)) muxer.write(frame)
  if (isFinished) await muxer.finish()
  const bytes = Buffer.from(out.bytes())
  const reserve = bytes.indexOf(Buffer.of(0xec, 0x01, 0, 0, 0, 0, 0))
  return Buffer.concat([bytes.subarray(0, reserve), bytes.subarray(bytes.indexOf(Buffer.of(0x1f, 0x43, 0xb6, 0x75)))])
}

/** Three pictures with alpha, and one without. */
function seeThrough(): Uint8Array {
  const out = new MemorySink()
  const muxer = new MatroskaMuxer(out, { docType: 'webm', creationTimeMs: 0 })
  const track: Track = {
    ...realTrack(1, 'vp9', 'vp9'),
    kind: 'video',
    codec: 'vp9',
    width: 64,
    height: 48,
    hasAlpha: true,
  }
  muxer.start([track])
  for (const [ms, alphaBytes] of [4, 3, 0, 5].entries()) {
    const bytes = new Uint8Array(6 + alphaBytes)
    muxer.write(new Frame(track, ms, ms, ms === 0, bytes.subarray(0, 6), undefined, alphaBytes))
  }
  const whole = Buffer.from(out.bytes())
  const reserve = whole.indexOf(Buffer.of(0xec, 0x01, 0, 0, 0, 0, 0))
  return Buffer.concat([whole.subarray(0, reserve), whole.subarray(whole.indexOf(Buffer.of(0x1f, 0x43, 0xb6, 0x75)))])
}

const ownGrowing = await own(false)
const ownFinished = await own(true)

async function readAll(bytes: Uint8Array): Promise<void> {
  const reader = await openMatroska(new MemoryFile(bytes))
  for await (const { offset, size, pts, alpha } of reader.samples()) {
    for (const place of alpha === undefined ? [{ offset, size }] : [{ offset, size }, alpha]) {
      const isInside = place.offset >= 0 && place.size >= 0 && place.offset + place.size <= bytes.length
      if (!isInside) throw new RangeError('sample outside of its file')
    }
    if (!Number.isFinite(pts)) throw new RangeError('sample without a time')
  }
}

/** Repairs of a file with damage in its middle until nothing changes any more. */
const MAX_REPAIRS = 8

/**
 * Repairs `file` until it stays as it is. One repair must do, unless there is garbage between sound elements: what that
 * seems to be depends on where the file ends, and a repair moves the end.
 */
async function settle(file: MemoryFile): Promise<void> {
  for (let repairs = 0; repairs < MAX_REPAIRS; repairs++) {
    const { changed, faults } = await repairMatroska(file)
    if (!changed) return
    const next = new MemoryFile(file.bytes)
    const isDamaged = faults.some(({ kind }) => kind === 'garbage')
    if (!isDamaged && (await repairMatroska(next)).changed) throw new RangeError('repaired twice')
  }
  throw new RangeError('repairs do not settle')
}

/** Reads a file, repairs it, and reads it again. */
export const target: FuzzTarget = {
  name: 'matroska-reader',
  seeds: () => [
    ownGrowing,
    ownFinished,
    seeThrough(),
    foreignFile([
      info,
      tracks(),
      cluster(0, block),
      openCluster(9, block, block),
      (out) => out.binary(TAGS, new Uint8Array(9)),
    ]),
    foreignFile([info, tracks(), cluster(0, blockGroup(blockBytes(2, 0, 0x02, [2, 2, 4, 1, 1, 2, 2, 2, 2, 3, 3])))], {
      sized: true,
    }),
    foreignFile([
      info,
      tracks(),
      cluster(0, blockGroup(blockBytes(2, 0, 0x06, [2, 0x82, 0xc1, 1, 1, 2, 2, 2, 2, 3, 3]))),
    ]),
    foreignFile([
      info,
      tracks(undefined, 0),
      cluster(0, blockGroup(blockBytes(2, 0, 0x04, [1, 1, 1, 2, 2]), { duration: 9 })),
    ]),
  ],
  async run(input) {
    try {
      await readAll(input)
      const file = new MemoryFile(input.slice())
      await settle(file)
      await readAll(file.bytes)
    } catch (error) {
      if (!(error instanceof TapedeckError)) throw error
    }
  },
}
