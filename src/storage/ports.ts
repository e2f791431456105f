import type { ByteSink, EditableFile } from '../media/ports.ts'

/**
 * One recording file while it grows. Calls are carried out in their order by the storage, away from the media path.
 *
 * Durability: what was committed leaves the process within 0.6 s; fsync follows the policy of the storage.
 */
export interface OutputFile extends ByteSink {
  readonly path: string
  /** Accepted but not yet given to the operating system, bytes. What a slow disk makes grow. */
  readonly backlogBytes: number
  /** The first error of this file. After it everything is thrown away, until `close` or `abort`. */
  readonly failure: Error | undefined
  /** Called once, when `failure` is set; never from within a call of `write`. */
  onFailure: ((error: Error) => void) | undefined
  /** Called when the backlog has fallen below half of the storage's high-water mark after a `commit` that found it there. */
  onDrain: (() => void) | undefined
  /** The end of a whole unit (tag, cluster, fragment): here, and only here, the file may be cut by a flush. */
  commit(): void
  /** Sends off all that was committed now, without waiting for the block to fill. */
  flush(): void
  /** Writes out everything, fsyncs unless the policy is `never`, closes. Throws the file's failure. Idempotent. */
  close(): Promise<void>
  /** Closes without writing what is pending; keeps the file as it is. Never throws. Idempotent. */
  abort(): Promise<void>
  /** Whether the path still leads to this very file: false once it was deleted, renamed away, or its directory went. */
  inPlace(): Promise<boolean>
}

/** A file opened for repair. */
export interface OpenFile extends EditableFile {
  close(): Promise<void>
}

/** A file that a listing found. */
export interface StoredFile {
  readonly path: string
  readonly sizeBytes: number
  readonly modifiedAtMs: number
}

/** Where recordings are kept: a handful of verbs. Paths are absolute or relative to the process, `/`-separated. */
export interface Storage {
  /**
   * A new file, mode 0600, its directory made where missing.
   * @throws FileExistsError when something has that name; nothing is ever overwritten
   * @throws StorageError for everything else (`TD_STORAGE`), with the system's code in `cause`
   */
  create(path: string): Promise<OutputFile>
  /** An existing file, for reading and mending. */
  open(path: string): Promise<OpenFile>
  /** Regular files below `directory`, recursively, at most `limit`. Empty when the directory is missing. */
  list(directory: string, limit: number): Promise<StoredFile[]>
  /** No error when it is gone already. */
  remove(path: string): Promise<void>
  /** Removes `directory` and those below it so far as no files are in them. No error for what stays, or is gone already. */
  removeDirectory(directory: string): Promise<void>
  /** Directories directly in `directory` that hold nothing and were last changed before `beforeMs` (since 1970). */
  emptyDirectories(directory: string, beforeMs: number): Promise<string[]>
  /** Moves within the storage. @throws FileExistsError */
  rename(from: string, to: string): Promise<void>
  /**
   * Replaces a small file (manifest, report) as a whole: the old or the new one is there at any instant. Mode 0600. `isPassing`:
   * another version follows soon, and a power cut may cost this one (no fsync).
   */
  replace(path: string, bytes: Uint8Array, options?: { readonly isPassing?: boolean }): Promise<void>
  /** Room left for this user, bytes; of the nearest existing parent when the directory is missing. */
  freeBytes(directory: string): Promise<number>
}
