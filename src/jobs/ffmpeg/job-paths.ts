import { createHash } from 'node:crypto'
import { open, readdir, realpath, rename, rm } from 'node:fs/promises'
import { basename, dirname, extname, isAbsolute, join, relative, sep } from 'node:path'
import { storageError } from '../../storage/errors.ts'
import { PathError } from './errors.ts'

/** File systems take names of so many bytes. */
const MAX_NAME_BYTES = 255

/**
 * The absolute path of `path` below `root`, with the links of its directory followed. Its directory, and itself where it
 * `exists`, must be there.
 * @throws PathError @throws StorageError
 */
export async function pathBelow(root: string, path: string, exists: boolean): Promise<string> {
  if (isAbsolute(path) || path.includes('\0') || path.split(/[\\/]/).includes('..'))
    throw new PathError(path, 'leads elsewhere')
  try {
    const realRoot = await realpath(root)
    const joined = join(realRoot, path)
    const place = join(await realpath(dirname(joined)), basename(joined))
    const real = exists ? await realpath(joined) : place
    const target = exists ? real : await realpath(joined).catch(() => place)
    if (!isBelow(realRoot, real) || !isBelow(realRoot, target))
      throw new PathError(path, 'leads elsewhere through a link')
    return real
  } catch (error) {
    throw error instanceof PathError ? error : storageError(join(root, path), 'find', error)
  }
}

function isBelow(root: string, path: string): boolean {
  const way = relative(root, path)
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way)
}

/** What a job works on before it is verified: hidden, beside its output, the same in each try. */
export class WorkFile {
  readonly path: string
  /** What the names of further files of this job begin with. */
  readonly prefix: string
  readonly #output: string

  constructor(output: string, jobId: string) {
    this.#output = output
    const ending = extname(output)
    const plain = `.${basename(output, ending)}.${jobId}.part`
    const fits = /^[^/\\\0]+$/.test(plain) && Buffer.byteLength(plain + ending) + 20 < MAX_NAME_BYTES
    const name = fits ? plain : `.${createHash('sha256').update(plain).digest('hex')}.part`
    this.prefix = join(dirname(output), name)
    this.path = `${this.prefix}${ending}`
  }

  /** Makes it anew, empty, mode 0600, without what an earlier try has left. @throws StorageError */
  async create(): Promise<void> {
    await this.remove()
    await open(this.path, 'wx', 0o600).then(
      (handle) => handle.close(),
      (error) => {
        throw storageError(this.path, 'create', error)
      },
    )
  }

  /** Puts it, on stable storage, where the output belongs; the files beside it go. @throws StorageError */
  async keep(): Promise<void> {
    try {
      await sync(this.path)
      await rename(this.path, this.#output)
      await sync(dirname(this.#output))
    } catch (error) {
      throw storageError(this.#output, 'write', error)
    }
    await this.remove()
  }

  /** With all that belongs to it. No error when there is nothing. */
  async remove(): Promise<void> {
    const own = basename(this.prefix)
    const names = await readdir(dirname(this.prefix)).catch(() => [])
    await Promise.all(
      names
        .filter((name) => name.startsWith(own))
        .map((name) => rm(join(dirname(this.prefix), name), { recursive: true, force: true })),
    )
  }
}

async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
