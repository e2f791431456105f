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

/** Whole FLV files: opened, read through, repaired, and read again. */
export const target: FuzzTarget = {
  name: 'flv-reader',
  seeds: () => [seed()],
  async run(input) {
    const file = new MemoryFile(input)
    const first = await openFlv(file)
    let before = 0
    for await (const sample of first.samples()) before += sample.offset + sample.size <= input.length ? 1 : Number.NaN
    const report = await repairFlv(file)
    if (report.frames !== before) throw new RangeError(`repair found ${report.frames} frames of ${before}`)
    const again = await repairFlv(file)
    if (again.frames !== before || again.changed) throw new RangeError('a second repair found something else')
  },
}
