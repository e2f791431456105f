import { randomUUID } from 'node:crypto'

/** The name of a worker: its node, its process, and which of the workers that such a process ever was. */
export function workerId(node: string): string {
  return `${node}/${process.pid}/${randomUUID().slice(0, 8)}`
}

/**
 * Whether worker `id` ran on `node` and its process is no more. Whoever asks is the only worker of its own process; a
 * worker with the same process id then belongs to an earlier life, as in containers, where it is always the same one.
 */
export function isDeadWorker(id: string, node: string, self: string): boolean {
  const [itsNode, pidText, ...rest] = id.split('/')
  const pid = Number(pidText)
  if (id === self || itsNode !== node || rest.length !== 1 || !Number.isSafeInteger(pid) || pid <= 0) return false
  return pid === process.pid || !isAlive(pid)
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
