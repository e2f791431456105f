import { TapedeckError } from '../../media/errors.ts'
import type { UploadParticipant } from './upload-participant.ts'

/** What uploads came to since this process began, and how they stand now. */
export interface UploadStats {
  /** Uploads that are read into a stream. */
  readonly live: number
  /** All of which is known how far they are. */
  readonly known: number
  /** Chunks that were taken. */
  readonly chunks: number
  readonly bytes: number
  /** Chunks that were there already. */
  readonly repeatedChunks: number
  /** Chunks that were not taken, by error code. */
  readonly refused: Readonly<Record<string, number>>
  /** Of chunks on their way, or before their turn. */
  readonly inFlightBytes: number
  /** Chunks that wait for one before them. */
  readonly earlyChunks: number
  /** On disk: early, not read, or not surely in files. */
  readonly spooledBytes: number
}

/** Chunks since this process began. */
export class UploadTotals {
  readonly #refused = new Map<string, number>()
  chunks = 0
  bytes = 0
  repeatedChunks = 0

  /** A chunk was not taken: because of `error`. */
  refuse(error: unknown): void {
    const code = error instanceof TapedeckError ? error.code : 'TD_INTERNAL'
    this.#refused.set(code, (this.#refused.get(code) ?? 0) + 1)
  }

  read(): Pick<UploadStats, 'chunks' | 'bytes' | 'repeatedChunks' | 'refused'> {
    const { chunks, bytes, repeatedChunks } = this
    return { chunks, bytes, repeatedChunks, refused: Object.fromEntries(this.#refused) }
  }
}

/** How uploads stand now. */
export function figuresOf(participants: Iterable<UploadParticipant>) {
  const sum = { live: 0, inFlightBytes: 0, earlyChunks: 0, spooledBytes: 0 }
  for (const { sessions } of participants) {
    for (const { isLive, inFlightBytes, spool } of sessions.values()) {
      if (isLive) sum.live++
      sum.inFlightBytes += inFlightBytes
      sum.earlyChunks += spool.earlyCount
      sum.spooledBytes += spool.rowBytes + spool.earlyBytes
    }
  }
  return sum
}
