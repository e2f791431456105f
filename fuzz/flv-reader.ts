import { FileFacts } from '../src/container/flv/file-facts.ts'
import { fitMetadata, METADATA_CREATOR } from '../src/container/flv/metadata.ts'
import { openFlv } from '../src/container/flv/reader.ts'
import { repairFlv } from '../src/container/flv/repair.ts'
import { fileHeader, TAG_TYPE, wholeTag } from '../src/container/flv/tag-header.ts'
import { MemoryFile } from '../test/container/matroska/memory-file.ts'
import type { FuzzTarget } from './target.ts'

const AVCC = Buffer.from(
  '0164001effe1001a6764001eacd940a02ff970110000030001000003003c0f162d9601000568ebecb22cfdf8f800',
  'hex',
)

function seed(): Uint8Array {
  const index = new FileFacts(10).index
  index.note(0, 300)
  const metadata = fitMetadata({ metadatacreator: METADATA_CREATOR, duration: 1, filesize: 400 }, index, 300)
  const frame = (first: number, ...rest: number[]) => Uint8Array.of(first, ...rest, 0, 0, 0, 5, 0x65, 1, 2, 3, 4)
  const parts = [
    fileHeader(5),
    wholeTag(TAG_TYPE.SCRIPT, 0, metadata ?? new Uint8Array(0)),
    wholeTag(TAG_TYPE.VIDEO, 0, Buffer.concat([Uint8Array.of(0x17, 0, 0, 0, 0), AVCC])),
    wholeTag(TAG_TYPE.AUDIO, 0, Uint8Array.of(0xaf, 0, 0x11, 0x90)),
    wholeTag(TAG_TYPE.VIDEO, 0, frame(0x17, 1, 0, 0, 66)),
    wholeTag(TAG_TYPE.AUDIO, 21, Uint8Array.of(0xaf, 1, 0x21, 0x10)),
    wholeTag(TAG_TYPE.VIDEO, 33, frame(0x27, 1, 0xff, 0xff, 0xd8)),
    wholeTag(TAG_TYPE.AUDIO, 42, Uint8Array.of(0x95, 0x01, 0x4f, 0x70, 0x75, 0x73, 1, 0xfc, 0xff, 0xfe)),
    wholeTag(TAG_TYPE.VIDEO, 66, Uint8Array.of(0xa1, 0x76, 0x70, 0x30, 0x38, 0x10, 2, 0, 0x9d, 1, 0x2a, 64, 0, 64, 0)),
  ]
  return Buffer.concat(parts)
}

/** Repairs of a file with damage in its middle until nothing changes any more. */
const MAX_REPAIRS = 8

/**
 * Repairs until the file stays as it is. One repair must do, unless there is garbage between tags: what that seems to be
 * depends on where the file ends, and a repair moves the end.
 */
async function settle(file: MemoryFile, frames: number): Promise<void> {
  for (let repairs = 0; repairs < MAX_REPAIRS; repairs++) {
    const { changed, faults, frames: found } = await repairFlv(file)
    if (repairs === 0 && found !== frames) throw new RangeError(`repair found ${found} frames of ${frames}`)
    if (!changed) return
    if (faults.some(({ kind }) => kind === 'garbage')) continue
    const again = await repairFlv(file)
    if (again.changed || again.frames !== found) throw new RangeError('a second repair found something else')
    return
  }
  throw new RangeError('repairs do not settle')
}

/** Whole FLV files: opened, read through, and repaired until they stay as they are. */
export const target: FuzzTarget = {
  name: 'flv-reader',
  seeds: () => [seed()],
  async run(input) {
    const file = new MemoryFile(input)
    const reader = await openFlv(file)
    let frames = 0
    for await (const { offset, size } of reader.samples()) {
      if (offset < 0 || offset + size > input.length) throw new RangeError('a sample beyond the end of the file')
      frames++
    }
    await settle(file, frames)
  },
}
