/// <reference lib="dom" />

const DATABASE = 'tapedeck'
const VERSION = 1

/** A recorder of this or an earlier page, whose chunks have not all been acknowledged. */
export interface StoredUpload {
  readonly id: string
  readonly url: string
  readonly room: string
  readonly participant: string
  readonly kind: string
}
/** A chunk that was not acknowledged. */
export interface StoredChunk {
  readonly upload: string
  readonly seq: number
  readonly bytes: ArrayBuffer
  readonly sha256: string
  /** When its media began, by `Date.now`. */
  readonly startMs: number
  readonly isFinal: boolean
}

/** Chunks in IndexedDB, until the server has them: they outlive the page. */
export class ChunkStore {
  readonly #database: IDBDatabase

  private constructor(database: IDBDatabase) {
    this.#database = database
  }

  static async open(): Promise<ChunkStore> {
    const request = indexedDB.open(DATABASE, VERSION)
    request.onupgradeneeded = () => {
      request.result.createObjectStore('uploads', { keyPath: 'id' })
      request.result.createObjectStore('chunks', { keyPath: ['upload', 'seq'] })
    }
    return new ChunkStore(await resultOf(request))
  }

  async addUpload(upload: StoredUpload): Promise<void> {
    await this.#write(['uploads'], (of) => of('uploads').put(upload))
  }

  uploads(): Promise<StoredUpload[]> {
    return resultOf<StoredUpload[]>(this.#database.transaction('uploads').objectStore('uploads').getAll())
  }

  async removeUpload(id: string): Promise<void> {
    await this.#write(['uploads', 'chunks'], (of) => {
      of('uploads').delete(id)
      of('chunks').delete(rangeOf(id))
    })
  }

  async addChunk(chunk: StoredChunk): Promise<void> {
    await this.#write(['chunks'], (of) => of('chunks').put(chunk))
  }

  /** The first of `upload` that was not acknowledged. */
  async firstChunk(upload: string): Promise<StoredChunk | undefined> {
    const chunks = this.#database.transaction('chunks').objectStore('chunks')
    const [first] = await resultOf<StoredChunk[]>(chunks.getAll(rangeOf(upload), 1))
    return first
  }

  /** The last of `upload` that was not acknowledged. */
  lastChunk(upload: string): Promise<StoredChunk | undefined> {
    const request = this.#database.transaction('chunks').objectStore('chunks').openCursor(rangeOf(upload), 'prev')
    return resultOf(request).then((cursor) => cursor?.value)
  }

  async removeChunk({ upload, seq }: Pick<StoredChunk, 'upload' | 'seq'>): Promise<void> {
    await this.#write(['chunks'], (of) => of('chunks').delete([upload, seq]))
  }

  close(): void {
    this.#database.close()
  }

  #write(names: string[], work: (of: (name: string) => IDBObjectStore) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const transaction = this.#database.transaction(names, 'readwrite', { durability: 'strict' })
      transaction.oncomplete = () => resolve()
      transaction.onabort = () => reject(transaction.error)
      work((name) => transaction.objectStore(name))
    })
  }
}

function rangeOf(upload: string): IDBKeyRange {
  return IDBKeyRange.bound([upload, 0], [upload, Number.MAX_SAFE_INTEGER])
}

function resultOf<Result>(request: IDBRequest<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
}
