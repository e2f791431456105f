import type { Logger } from '../media/ports.ts'
import type { Journal, JournalEntry } from '../state/journal.ts'
import type { PartIdentity } from './part.ts'
import { isProcessOf } from './process-life.ts'

/** Entries whose files this very process has open, by whichever recorder in it. */
const openHere = new Set<string>()

/** Enters files in the journal and strikes them out. A journal that cannot be written is logged and costs no recording. */
export class OpenFileRegister {
  readonly #journal: Journal
  readonly #logger: Logger

  constructor(journal: Journal, logger: Logger) {
    this.#journal = journal
    this.#logger = logger
  }

  opened(part: PartIdentity, path: string): void {
    const { id, format, room, participant, createdAtMs: startedAtMs } = part
    openHere.add(id)
    this.#attempt(path, () =>
      this.#journal.opened({ id, path, format, room, participant, startedAtMs, pid: process.pid }),
    )
  }

  /** Nothing is left to do for the file. */
  closed(id: string): void {
    openHere.delete(id)
    this.#attempt(id, () => this.#journal.closed(id))
  }

  /** This process gives the file up; the journal keeps it. */
  forget(id: string): void {
    openHere.delete(id)
  }

  /** As `Journal.claim`. */
  claim(): (() => void) | undefined {
    return this.#journal.claim()
  }

  /** Entries that nobody works on any more: of processes that are gone, or given up by this one. */
  orphans(): JournalEntry[] {
    return this.#journal.list().filter((entry) => {
      if (entry.pid === process.pid) return !openHere.has(entry.id)
      return !isProcessOf(entry.pid, entry.startedAtMs)
    })
  }

  #attempt(what: string, act: () => void): void {
    try {
      act()
    } catch (error) {
      this.#logger.error(
        { err: error, what },
        'journal cannot be written; after a crash this file would need `tapedeck repair`',
      )
    }
  }
}
