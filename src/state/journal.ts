/** One file that is being written. Kept so that a later process can finish what a crash left. */
export interface JournalEntry {
  /** Unique for ever. */
  readonly id: string
  /** Absolute. */
  readonly path: string
  readonly format: string
  readonly room: string
  readonly participant: string
  /** Wall clock, ms since 1970. */
  readonly startedAtMs: number
  /** The process that writes it, so that a second server on the same state leaves it alone. */
  readonly pid: number
}

/** What only one of the processes on a journal may do at a time; `recovery` by default. */
export type JournalRight = 'recovery' | 'revival'

/** Remembers which files are open. Every call is durable against a crash of this process when it returns. */
export interface Journal {
  opened(entry: JournalEntry): void
  /** The file is finished or given up: nothing is left to do. Unknown ids are ignored. */
  closed(id: string): void
  /** All open entries, oldest first. */
  list(): JournalEntry[]
  /**
   * The right to mend what others left, or to go on with it, which one process has at a time and loses with its life. Returns
   * the way to give it back; undefined while another has it.
   */
  claim(right?: JournalRight): (() => void) | undefined

  close(): void
}
