import { OggMuxer } from '../src/container/ogg/muxer.ts'
import { CAPTURE_PATTERN, FLAGS_AT, MAX_PAGE_BYTES, PAGE_HEADER_BYTES, withFlags } from '../src/container/ogg/page.ts'
import { openOgg } from '../src/container/ogg/reader.ts'
import { repairOgg } from '../src/container/ogg/repair.ts'
import { TapedeckError } from '../src/media/errors.ts'
import { Frame } from '../src/media/frame.ts'
import { MemoryFile, MemorySink } from '../test/container/matroska/memory-file.ts'
import { realTrack } from '../test/container/matroska/tracks.ts'
import type { FuzzTarget } from './target.ts'

const track = realTrack(1, 'opus', 'opus-stereo', 48_000)

async function own(isFinished: boolean): Promise<Uint8Array> {
  const out = new MemorySink()
  const muxer = new OggMuxer(out, { title: 'a', creationTimeMs: 0 })
  muxer.start([track])
  for (let i = 0; i < 12; i++) {
    const at = i * 960 + (i > 6 ? 48_000 : 0)
    muxer.write(new Frame(track, at, at, true, new Uint8Array(i * 30 + 1).fill(0xfc)))
    if (i % 4 === 0) muxer.flush()
  }
  if (isFinished) await muxer.finish()
  else muxer.flush()
  return out.bytes()
}

const ownGrowing = await own(false)
const ownFinished = await own(true)

/** The same with right checksums, wherever a page seems to be: so that mutations come past them. */
function sealed(input: Uint8Array): Uint8Array {
  const bytes = Buffer.from(input)
  for (let at = bytes.indexOf(CAPTURE_PATTERN); at >= 0; at = bytes.indexOf(CAPTURE_PATTERN, at + PAGE_HEADER_BYTES)) {
    const segments = bytes[at + PAGE_HEADER_BYTES - 1] ?? 0
    const bodyAt = at + PAGE_HEADER_BYTES + segments
    const end = bytes.subarray(at + PAGE_HEADER_BYTES, bodyAt).reduce((sum, length) => sum + length, bodyAt)
    if (end > bytes.length || end - at > MAX_PAGE_BYTES) continue
    bytes.set(withFlags(bytes.subarray(at, end), bytes[at + FLAGS_AT]), at)
  }
  return bytes
}

async function readAll(bytes: Uint8Array): Promise<void> {
  const reader = await openOgg(new MemoryFile(bytes))
  for await (const { offset, size, pts } of reader.samples()) {
    if (offset < 0 || size < 0 || offset + size > bytes.length) throw new RangeError('sample outside of its file')
    if (!Number.isFinite(pts)) throw new RangeError('sample without a time')
  }
}

/** Reads a file, repairs it, and reads it again. */
export const target: FuzzTarget = {
  name: 'ogg-reader',
  seeds: () => [ownGrowing, ownFinished],
  async run(input) {
    for (const bytes of [input, sealed(input)]) {
      try {
        await readAll(bytes)
        const file = new MemoryFile(bytes.slice())
        await repairOgg(file)
        if ((await repairOgg(new MemoryFile(file.bytes))).changed) throw new RangeError('repaired twice')
        await readAll(file.bytes)
      } catch (error) {
        if (!(error instanceof TapedeckError)) throw error
      }
    }
  },
}
