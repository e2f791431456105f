import { MalformedError } from '../../media/errors.ts'
import type { ChunkDirectory, StoredChunk } from './chunk-directory.ts'
import { ChunkConflictError } from './errors.ts'
import { GrowingBytes } from './growing-bytes.ts'
import {
  BEGINNING,
  type UploadFacts,
  type UploadPosition,
  uploadFactsSchema,
  uploadPositionSchema,
} from './upload-facts.ts'

/** How far a chunk may come before its turn. */
export const MAX_AHEAD = 64
/** Chunks whose checksums are remembered, the last of them; of older ones it is known only that they came. */
const MAX_KNOWN = 1024
/** Chunks that may lie on disk: each is a file. */
export const MAX_ROW = 20_000
const FACTS = 'upload.json'
const POSITION = 'position.json'
const HEADER = 'header'
const TAKEN = 'taken'

/**
 * The chunks of one upload: which have come, in which order they are read, which are needed no more. All of it is on disk
 * before anybody is told of it, and `open` finds it again.
 */
export class ChunkSpool {
  readonly #directory: ChunkDirectory
  #facts: UploadFacts
  #position: UploadPosition = BEGINNING
  #header: Uint8Array | undefined
  /** Of the last chunks that came. */
  readonly #checksums = new Map<number, string>()
  /** Lines in `TAKEN`. */
  #takenCount = 0
  /** Those that have come before their turn. */
  readonly #early = new Map<number, StoredChunk>()
  /** Those in a row that may be needed still, from `#position.firstSeq`. */
  #row: StoredChunk[] = []
  #bytes: GrowingBytes | undefined
  #changing: Promise<void> = Promise.resolve()

  private constructor(directory: ChunkDirectory, facts: UploadFacts) {
    this.#directory = directory
    this.#facts = facts
  }

  /** Begins a new one. @throws StorageError */
  static async create(directory: ChunkDirectory, facts: UploadFacts): Promise<ChunkSpool> {
    await directory.make()
    const spool = new ChunkSpool(directory, facts)
    await spool.#write(FACTS, JSON.stringify(facts))
    return spool
  }

  /** Finds one again. @throws MalformedError when the directory holds none */
  static async open(directory: ChunkDirectory): Promise<ChunkSpool> {
    const facts = uploadFactsSchema.safeParse(await readJson(directory, FACTS)).data
    if (facts === undefined) throw new MalformedError(directory.path, `no upload: ${FACTS} is missing or damaged`)
    const spool = new ChunkSpool(directory, facts)
    await spool.#restore()
    return spool
  }

  get facts(): UploadFacts {
    return this.#facts
  }
  get position(): UploadPosition {
    return this.#position
  }
  /** The first chunk that has not come. */
  get next(): number {
    return this.#position.firstSeq + this.#row.length
  }
  /** Numbers of those that came before their turn, ascending. */
  get early(): number[] {
    return [...this.#early.keys()].sort((a, b) => a - b)
  }
  /** How many these are. */
  get earlyCount(): number {
    return this.#early.size
  }
  get earlyBytes(): number {
    let bytes = 0
    for (const chunk of this.#early.values()) bytes += chunk.sizeBytes
    return bytes
  }
  /** In the row, on disk, bytes. */
  get rowBytes(): number {
    let bytes = 0
    for (const chunk of this.#row) bytes += chunk.sizeBytes
    return bytes
  }
  /** As many chunks are in the row as may be. */
  get isFull(): boolean {
    return this.#row.length + this.#early.size >= MAX_ROW
  }
  /** Where the row ends, bytes of the upload. */
  get endOffset(): number {
    return this.#position.firstOffset + this.rowBytes
  }
  /** Something has come that is not surely in the files. */
  get hasUnread(): boolean {
    return this.endOffset > this.#position.readEnd
  }
  /** Every chunk to the last has come. */
  get isComplete(): boolean {
    const { finalSeq } = this.#facts
    return finalSeq !== undefined && this.next > finalSeq
  }

  /** Whether this very chunk is here already. @throws ChunkConflictError when another one has its number, or it has no place */
  has(seq: number, sha256: string): boolean {
    const known = this.#checksums.get(seq)
    if (known === sha256 || (known === undefined && seq < this.next)) return true
    if (known !== undefined) throw new ChunkConflictError(seq, `came already with the SHA-256 ${known}`)
    const { finalSeq } = this.#facts
    if (finalSeq !== undefined && seq > finalSeq) throw new ChunkConflictError(seq, `${finalSeq} was the last one`)
    if (seq >= this.next + MAX_AHEAD) throw new ChunkConflictError(seq, `too far ahead; ${this.next} is next`)
    return false
  }

  /**
   * Takes one that `has` did not know. It is on disk when this resolves, with how large it is, bytes.
   * @throws ChunkConflictError, ChunkSizeError, ChunkChecksumError, StorageError
   */
  async take(seq: number, sha256: string, isFinal: boolean, body: AsyncIterable<Uint8Array>): Promise<number> {
    if (!isFinal) return this.#store(seq, sha256, body)
    this.#demandLast(seq)
    const { finalSeq: before } = this.#facts
    try {
      await this.change({ finalSeq: seq }) // first: who dies before the answer sends it again, and it is known what it is
      return await this.#store(seq, sha256, body)
    } catch (error) {
      await this.change({ finalSeq: before }).catch(() => undefined) // it is refused
      throw error
    }
  }

  /** Changes what is known of it, on disk too. */
  change(facts: Partial<UploadFacts>): Promise<void> {
    this.#facts = { ...this.#facts, ...facts }
    const text = JSON.stringify(this.#facts)
    return this.#inTurn(() => this.#write(FACTS, text))
  }

  /** It was read to its end; on disk it stays open until `change` says the same. */
  end(): void {
    this.#facts = { ...this.#facts, state: 'ended' }
  }

  /** All bytes from the position on, as they come; one reader at a time. */
  read(): GrowingBytes {
    const bytes = new GrowingBytes(this.#position.firstOffset, this.#header ?? new Uint8Array(0))
    for (const chunk of this.#row) bytes.append(chunk)
    if (this.isComplete) bytes.finish()
    this.#bytes = bytes
    return bytes
  }

  /** Keeps the header apart: the chunks that it came in may go. @throws StorageError */
  async keepHeader(header: Uint8Array): Promise<void> {
    await this.#inTurn(() => this.#directory.replace(HEADER, header))
    this.#header = header
  }

  /** What lies before is in the files: chunks that are not needed any more are removed. */
  advance(to: Pick<UploadPosition, 'unitOffset' | 'fromMs' | 'readEnd'>): Promise<void> {
    if (this.#header === undefined && to.unitOffset > 0) return Promise.resolve()
    return this.#inTurn(() => this.#advance(to))
  }

  /** Removes all chunks; what came stays known. */
  async empty(): Promise<void> {
    await this.#inTurn(async () => {
      const gone = [...this.#row, ...this.#early.values()]
      this.#position = { ...this.#position, firstSeq: this.next }
      await this.#write(POSITION, JSON.stringify(this.#position))
      this.#row = []
      this.#early.clear()
      await this.#remove(gone)
    })
  }

  /** With everything. */
  drop(): Promise<void> {
    return this.#inTurn(() => this.#directory.drop())
  }

  async #store(seq: number, sha256: string, body: AsyncIterable<Uint8Array>): Promise<number> {
    const chunk = await this.#directory.store(seq, sha256, body)
    this.#know(seq, sha256)
    this.#early.set(seq, chunk)
    this.#line()
    return chunk.sizeBytes
  }

  #know(seq: number, sha256: string): void {
    this.#checksums.set(seq, sha256)
    if (this.#checksums.size <= MAX_KNOWN) return
    const [oldest] = this.#checksums.keys()
    if (oldest !== undefined) this.#checksums.delete(oldest)
  }

  #demandLast(seq: number): void {
    const known = Math.max(this.next - 1, ...this.#early.keys())
    if (known > seq) throw new ChunkConflictError(seq, `cannot be the last: ${known} has come`)
  }

  async #advance({ unitOffset, fromMs, readEnd }: Parameters<ChunkSpool['advance']>[0]): Promise<void> {
    let { firstSeq, firstOffset } = this.#position
    const gone: StoredChunk[] = []
    for (const chunk of this.#row) {
      if (firstOffset + chunk.sizeBytes > unitOffset) break
      firstSeq++
      firstOffset += chunk.sizeBytes
      gone.push(chunk)
    }
    const position = { unitOffset, fromMs, firstSeq, firstOffset, readEnd }
    await this.#write(POSITION, JSON.stringify(position))
    this.#position = position
    this.#row.splice(0, gone.length)
    this.#bytes?.forget(unitOffset)
    await this.#remove(gone)
  }

  async #remove(gone: readonly StoredChunk[]): Promise<void> {
    if (gone.length === 0) return
    this.#takenCount += gone.length
    if (this.#takenCount <= MAX_KNOWN + MAX_KNOWN / 2) await this.#directory.append(TAKEN, gone.map(lineOf).join(''))
    else await this.#shorten()
    for (const chunk of gone) await this.#directory.remove(chunk)
  }

  /** Of what went long ago nothing is kept. */
  async #shorten(): Promise<void> {
    const before = [...this.#checksums].filter(([seq]) => seq < this.#position.firstSeq)
    await this.#directory.replace(TAKEN, before.map(([seq, sha256]) => lineOf({ seq, sha256 })).join(''))
    this.#takenCount = before.length
  }

  /** Those whose turn it is go into the row. */
  #line(): void {
    for (let chunk = this.#early.get(this.next); chunk !== undefined; chunk = this.#early.get(this.next)) {
      this.#early.delete(chunk.seq)
      this.#row.push(chunk)
      this.#bytes?.append(chunk)
    }
    if (this.isComplete) this.#bytes?.finish()
  }

  async #restore(): Promise<void> {
    const given = await readJson(this.#directory, POSITION)
    this.#header = await this.#directory.read(HEADER)
    this.#position = uploadPositionSchema.safeParse(given).data ?? BEGINNING
    const taken = Buffer.from((await this.#directory.read(TAKEN)) ?? []).toString('latin1')
    for (const [, seq, sha256] of taken.matchAll(/^(\d+) ([0-9a-f]{64})$/gm)) {
      this.#know(Number(seq), sha256)
      this.#takenCount++
    }
    for (const chunk of await this.#directory.list()) {
      this.#know(chunk.seq, chunk.sha256)
      if (chunk.seq < this.#position.firstSeq) await this.#directory.remove(chunk)
      else this.#early.set(chunk.seq, chunk)
    }
    this.#line()
  }

  #write(name: string, text: string): Promise<void> {
    return this.#directory.replace(name, text)
  }

  /** Changes on disk are made one after the other. */
  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#changing.then(work)
    this.#changing = done.catch(() => undefined)
    return done
  }
}

function lineOf({ seq, sha256 }: Pick<StoredChunk, 'seq' | 'sha256'>): string {
  return `${seq} ${sha256}\n`
}

async function readJson(directory: ChunkDirectory, name: string): Promise<unknown> {
  try {
    return JSON.parse(Buffer.from((await directory.read(name)) ?? []).toString('utf8'))
  } catch {
    return undefined
  }
}
