import { execFile, execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmdirSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe } from 'vitest'

const run = promisify(execFile)

/** Whether this user may mount file systems: root, and not in a container that forbids it. */
function mayMount(): boolean {
  const place = mkdtempSync(join(tmpdir(), 'tapedeck-mount-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', place], { stdio: 'ignore' })
    execFileSync('umount', [place], { stdio: 'ignore' })
    return true
  } catch {
    return false
  } finally {
    rmdirSync(place)
  }
}

const isAble = mayMount()
if (!isAble) console.warn('NOT RUN: tests of full, blocking and failing disks mount file systems; run them as root')

/** `describe` for tests that mount file systems. Without the right to, they fail in CI and are skipped, loudly, elsewhere. */
export const describeOnDisks = isAble || (process.env.CI ?? '') !== '' ? describe : describe.skip

/** A file system of the test's own. */
export class Disk {
  readonly path: string
  readonly #image: string | undefined
  #frozen = false

  private constructor(path: string, image?: string) {
    this.path = path
    this.#image = image
  }

  /** In memory, below `directory`. */
  static async tmpfs(directory: string, sizeMb: number): Promise<Disk> {
    const disk = new Disk(join(directory, 'disk'))
    mkdirSync(disk.path, { recursive: true })
    await run('mount', ['-t', 'tmpfs', '-o', `size=${sizeMb}m,mode=700`, 'tmpfs', disk.path])
    return disk
  }

  /** A real one, in a file below `directory`. */
  static async ext4(directory: string, sizeMb: number): Promise<Disk> {
    const image = join(directory, 'disk.img')
    const disk = new Disk(join(directory, 'disk'), image)
    mkdirSync(disk.path, { recursive: true })
    writeFileSync(image, '')
    truncateSync(image, sizeMb * 1_000_000)
    await run('mkfs.ext4', ['-q', image])
    // nothing can be made in its place while it is not mounted
    await run('mount', ['-t', 'tmpfs', '-o', 'ro,size=64k', 'tmpfs', disk.path])
    await disk.mount()
    return disk
  }

  /** Again, after `unmount`. */
  async mount(): Promise<void> {
    if (this.#image !== undefined) await run('mount', ['-o', 'loop', this.#image, this.path])
  }

  /** Every write blocks from now on. */
  async freeze(): Promise<void> {
    await run('fsfreeze', ['--freeze', this.path])
    this.#frozen = true
  }

  async thaw(): Promise<void> {
    await run('fsfreeze', ['--unfreeze', this.path])
    this.#frozen = false
  }

  /** Makes it read-only under everybody who writes, as the kernel does when a device fails. Until it is mounted again. */
  async fail(): Promise<void> {
    await run('mount', ['-o', 'remount,abort', this.path]).catch(() => undefined)
  }

  /** False while somebody has a file open there. */
  async unmount(): Promise<boolean> {
    return run('umount', [this.path]).then(
      () => true,
      () => false,
    )
  }

  /** Away with it, whoever uses it. */
  async drop(): Promise<void> {
    if (this.#frozen) await this.thaw()
    while (
      await run('umount', ['-l', this.path]).then(
        () => true,
        () => false,
      )
    );
  }
}
