import { randomUUID } from 'node:crypto'

/** Workers of this process that are at work. */
const living = new Set<string>()

/** The name of a new worker: its node, its process, and which of the workers that such a process ever was. */
export function beginWorker(node: string): string {
  const id = `${node}/${process.pid}/${randomUUID().slice(0, 8)}`
  living.add(id)
  return id
}

/** It does nothing any more: what it may have left is for others. */
export function endWorker(id: string): void {
  living.delete(id)
}

/**
 * Whether worker `id` ran on `node` and is no more. One with our own process id that we know nothing of belongs to an
 * earlier life: in containers it is always the same one.
 */
export function isDeadWorker(id: string, node: string): boolean {
  const [itsNode, pidText, ...rest] = id.split('/')
  const pid = Number(pidText)
  if (itsNode !== node || rest.length !== 1 || !Number.isSafeInteger(pid) || pid <= 0) return false
  return pid === process.pid ? !living.has(id) : !isAlive(pid)
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
