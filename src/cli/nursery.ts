import { accessSync, constants } from 'node:fs'

/** Size of one half of V8's nursery, MB. Its own limit lets the nursery alone grow to 130 MB of resident memory. */
const SEMI_SPACE_MB = 2
const SEMI_SPACE_FLAG = '--max-semi-space-size'
/**
 * How much the heap may grow over what is alive before it is collected, percent. Its own measure lets 17 MB become 70, of
 * frames that outlived the nursery while they waited for the disk; collecting them costs 2 ms.
 */
const HEAP_GROWING_PERCENT = 40
/** What V8 is told of memory: a media server makes few and short-lived objects, so that a larger heap is memory and nothing else. */
export const MEMORY_FLAGS: readonly string[] = [
  `${SEMI_SPACE_FLAG}=${SEMI_SPACE_MB}`,
  `--heap-growing-percent=${HEAP_GROWING_PERCENT}`,
]

/**
 * Pools of glibc's malloc: it makes one for each thread that asks at a bad moment, and each keeps megabytes. Read by glibc when
 * a process begins; taken out of the environment afterwards, so that children (ffmpeg) have as many as they like.
 */
const ARENAS = { name: 'MALLOC_ARENA_MAX', count: '2' } as const

/**
 * Begins this process anew, in place (the same pid, the same standard streams), with a small nursery and a heap that is
 * collected early. Returns where that is so already, where the flag is given to Node or stands in NODE_OPTIONS, and where
 * the system cannot do it (Windows).
 */
export function limitNursery(): void {
  const given = [...process.execArgv, process.env.NODE_OPTIONS ?? '']
  const isChosen = given.some((argument) => argument.includes(SEMI_SPACE_FLAG))
  if (isChosen && process.env[ARENAS.name] === ARENAS.count) delete process.env[ARENAS.name]
  if (isChosen || process.platform === 'win32' || process.execve === undefined || !isExecutable(process.execPath))
    return
  const args = [...process.execArgv, ...MEMORY_FLAGS, ...process.argv.slice(1)]
  const environment = { ...process.env, [ARENAS.name]: process.env[ARENAS.name] ?? ARENAS.count }
  process.execve(process.execPath, [process.execPath, ...args], environment)
}

/** Looked at first, as a failing execve ends the process. */
function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
