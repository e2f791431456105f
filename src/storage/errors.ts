import { type Fault, TapedeckError } from '../media/errors.ts'

/** The storage could not do what was asked; `cause` is the system's error, `systemCode` its code (`EIO`, `EROFS`…). */
export class StorageError extends TapedeckError {
  readonly code: 'TD_STORAGE' | 'TD_DISK_FULL' | 'TD_FILE_EXISTS' | 'TD_FILE_MISSING' = 'TD_STORAGE'
  readonly fault: Fault = 'host'
  readonly path: string
  readonly systemCode: string | undefined

  constructor(path: string, act: string, cause: unknown) {
    const systemCode = codeOf(cause)
    super(
      `cannot ${act} ${path}: ${ADVICE[systemCode ?? ''] ?? (cause instanceof Error ? cause.message : String(cause))}`,
      {
        cause,
      },
    )
    this.path = path
    this.systemCode = systemCode
  }
}

/** No room is left on the device, or this user's quota is used up. */
export class DiskFullError extends StorageError {
  override readonly code = 'TD_DISK_FULL'
}

/** Something has that name already; nothing is ever overwritten. */
export class FileExistsError extends StorageError {
  override readonly code = 'TD_FILE_EXISTS'
}

/** No such file or directory, or it was removed meanwhile. */
export class FileMissingError extends StorageError {
  override readonly code = 'TD_FILE_MISSING'
}

const ADVICE: Readonly<Record<string, string>> = {
  ENOSPC: 'no space is left on the device; free some or record elsewhere',
  EDQUOT: 'the disk quota of this user is used up; free some or record elsewhere',
  EEXIST: 'the name is taken',
  ENOENT: 'no such file or directory',
  EACCES: 'permission denied; give this user the right to write there',
  EPERM: 'the system forbids it',
  EROFS: 'the file system is mounted read-only',
  EMFILE: 'too many files are open; raise the limit (ulimit -n)',
  ENFILE: 'the whole system has too many files open',
  EIO: 'the device reports an input/output error',
  ENAMETOOLONG: 'the name is too long for this file system',
  ENOTDIR: 'a part of the path is not a directory',
  EISDIR: 'it is a directory',
}

/** The typed error for what the system reported while doing `act` (an infinitive: "write", "create"). */
export function storageError(path: string, act: string, cause: unknown): StorageError {
  if (cause instanceof StorageError) return cause
  switch (codeOf(cause)) {
    case 'ENOSPC':
    case 'EDQUOT':
      return new DiskFullError(path, act, cause)
    case 'EEXIST':
      return new FileExistsError(path, act, cause)
    case 'ENOENT':
      return new FileMissingError(path, act, cause)
    default:
      return new StorageError(path, act, cause)
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
