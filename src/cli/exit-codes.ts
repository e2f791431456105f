/** What the process says when it ends. The same for all commands. */
export const EXIT = {
  /** Everything was done. */
  ok: 0,
  /** It could not be done. */
  failed: 1,
  /** Wrong usage, or settings that cannot be used: nothing was begun. */
  usage: 2,
  /** Some of it was done: a file could not be repaired, a recording not finished in time, a file has faults. */
  partly: 3,
  /** A second Ctrl-C: left at once. 128 + SIGINT, as shells have it. */
  interrupted: 130,
} as const

/** For the end of every help text. */
export const EXIT_CODES_HELP = `
Exit codes:
  0    done
  1    failed
  2    wrong usage or settings; nothing was begun
  3    partly done
  130  left at once, after a second Ctrl-C`
