import { ByteReader } from '../../media/bytes.ts'
import { MalformedError } from '../../media/errors.ts'
import type { BoxAt } from './box-reader.ts'
import type { SourceWindow } from './source-window.ts'

/** Entries of a table are read in pieces of so many bytes, at most. */
const PIECE_BYTES = 16 * 1024
/** Version, flags and the number of entries */
const TABLE_HEAD_BYTES = 8

/** Goes through the entries of one sample table, a piece at a time: bounded memory however long the table is. */
export class TableCursor {
  readonly #window: SourceWindow
  readonly #entryBytes: number
  #offset: number
  #piece = new ByteReader(new Uint8Array(0), 'table')
  /** Entries that were not taken yet. */
  left: number

  /** @throws MalformedError when `count` entries from `startOffset` do not fit into `box` */
  constructor(window: SourceWindow, box: BoxAt, startOffset: number, entryBytes: number, count: number) {
    if (startOffset + count * entryBytes > box.endOffset) {
      throw new MalformedError('mp4', `${box.type} of ${count} entries does not hold so many`, box.offset)
    }
    this.#window = window
    this.#entryBytes = entryBytes
    this.#offset = startOffset
    this.left = count
  }

  /** Whether `take` may be called; else `load` first, unless nothing is left. */
  get isReady(): boolean {
    return this.#piece.remaining > 0
  }

  async load(): Promise<void> {
    const count = Math.min(this.left, Math.floor(PIECE_BYTES / this.#entryBytes))
    const length = count * this.#entryBytes
    this.#piece = new ByteReader((await this.#window.read(this.#offset, length)).slice(), 'table')
    this.#offset += length
  }

  /** A reader that stands at the next entry; whoever takes it reads all of the entry's fields. */
  take(): ByteReader {
    this.left--
    return this.#piece
  }
}

/** Opens a table that begins with the number of its entries, as all but `stsz` do. Undefined when there is none. */
export async function openTable(
  window: SourceWindow,
  box: BoxAt | undefined,
  entryBytes: number,
): Promise<TableCursor | undefined> {
  if (box === undefined) return undefined
  const start = box.offset + box.headerBytes
  const head = new ByteReader(await window.read(start, TABLE_HEAD_BYTES), box.type)
  head.skip(4)
  return new TableCursor(window, box, start + TABLE_HEAD_BYTES, entryBytes, head.u32())
}
