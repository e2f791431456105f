import type { CatalogueEntry, Course } from '../state/catalogue-entry.ts'
import type { RecordedParticipant, RecordingFile } from '../state/recording-object.ts'
import { participantsOf } from './settlement.ts'

/** Times without a server that are remembered, the last of them. */
const MAX_INTERRUPTIONS = 1000

/**
 * Since when the participants of a recording that a crash interrupted are waited for already, ms since 1970: an earlier start
 * has begun to, and nobody had come back when that process was killed, too. Undefined when the wait begins now.
 */
export function awaitedSince({ course, recording }: CatalogueEntry): number | undefined {
  const last = course?.interruptions.at(-1)
  if (last === undefined) return undefined
  const hasReturned = recording.participants.some((each) => each.is_connected || (each.left_at ?? '') > last.to)
  return hasReturned ? undefined : Date.parse(last.to)
}

/** What is handed over to a recording that goes on after a crash. */
export interface PastOptions {
  /** As the process that died left it. */
  readonly entry: CatalogueEntry
  /** `performance.now()` until which its participants may come back. */
  readonly awaitsUntilMs: number
  /** The files as they are once they are mended. Never rejects. */
  readonly mended: Promise<readonly RecordingFile[]>
}

/**
 * What a recording had come to before a crash: its files and participants, and its time, which goes on. The clocks of a
 * process begin with it, so what is said of them comes by way of the wall clock.
 */
export class Past {
  /** Wall clock at 0 of the recording's clock, ms since 1970. */
  readonly zeroWallMs: number
  /** The same as `performance.now` has it. */
  readonly zeroAtMs: number
  readonly startedAtMs: number | undefined
  readonly pausedAtMs: number | undefined
  readonly pausesMs: number
  readonly awaitsUntilMs: number
  /** Resolves when the files are what they will be. */
  readonly mended: Promise<void>
  readonly #takenUpWallMs = Date.now()
  readonly #awaited: Set<string>
  /** As the entry had them. */
  readonly #left: readonly RecordedParticipant[]
  /** Somebody has not come back yet. Where nobody is known to have been there, the whole window is waited. */
  #isIncomplete = true
  #files: readonly RecordingFile[]
  #participants: readonly RecordedParticipant[]
  #interruptions: Course['interruptions']

  constructor({ entry, awaitsUntilMs, mended }: PastOptions) {
    const { recording, course, created_at: createdAt } = entry
    const { started_at: startedAt, paused_at: pausedAt, status, files, participants } = recording
    this.zeroWallMs = Date.parse(course?.zero_at ?? startedAt ?? createdAt)
    this.zeroAtMs = monotonic(this.zeroWallMs)
    this.startedAtMs = startedAt === null ? undefined : monotonic(Date.parse(startedAt))
    this.pausedAtMs = status === 'paused' && pausedAt !== null ? monotonic(Date.parse(pausedAt)) : undefined
    this.pausesMs = course?.paused_ms ?? 0
    this.awaitsUntilMs = awaitsUntilMs
    this.#files = files
    this.#interruptions = course?.interruptions ?? []
    const lastFrom = this.#interruptions.at(-1)?.from
    const awaited = participants.filter((each) => each.is_connected || each.left_at === lastFrom)
    this.#awaited = new Set(awaited.map((each) => each.participant_id))
    this.#left = participants.map((each) => (each.is_connected ? { ...each, left_at: null } : each))
    this.#participants = this.#gone()
    this.mended = mended.then((now) => this.#mended(now))
  }

  /** Oldest first. */
  get files(): readonly RecordingFile[] {
    return this.#files
  }
  get participants(): readonly RecordedParticipant[] {
    return this.#participants
  }
  /** Times without a server, this last one with them. */
  get interruptions(): Course['interruptions'] {
    return this.#interruptions
  }
  /** When the last media was kept, ISO 8601. */
  get lastKeptAt(): string {
    return new Date(Math.min(this.#takenUpWallMs, this.#lastKeptWallMs)).toISOString()
  }

  /** Somebody whom it had may still be about to come back. */
  isAwaiting(nowMs: number): boolean {
    return nowMs < this.awaitsUntilMs && this.#isIncomplete
  }

  returned(participantId: string): void {
    this.#awaited.delete(participantId)
    if (this.#awaited.size === 0) this.#isIncomplete = false
  }

  /** Files of one participant; of nobody known where it is null. */
  filesOf(participantId: string | null): RecordingFile[] {
    return this.#files.filter(({ participant_id }) => participant_id === participantId)
  }

  participant(participantId: string): RecordedParticipant | undefined {
    return this.#participants.find(({ participant_id }) => participant_id === participantId)
  }

  /** Media of one participant, ms. */
  durationMs(participantId: string): number {
    return this.#kept(participantId).reduce((sum, { duration_ms }) => sum + duration_ms, 0)
  }

  sizeBytes(participantId: string): number {
    return this.#kept(participantId).reduce((sum, { size_bytes }) => sum + size_bytes, 0)
  }

  #kept(participantId: string): RecordingFile[] {
    return this.filesOf(participantId).filter(({ kind, state }) => kind === 'source' && state !== 'removed')
  }

  #mended(files: readonly RecordingFile[]): void {
    this.#files = files
    this.#participants = this.#gone()
    const from = this.lastKeptAt
    const to = new Date(this.#takenUpWallMs).toISOString()
    const before = this.#interruptions.at(-1)
    if (before !== undefined && from <= before.to) return // killed again before anything came: it is the same one still
    this.#interruptions = [...this.#interruptions.slice(1 - MAX_INTERRUPTIONS), { from, to }]
  }

  #gone(): RecordedParticipant[] {
    const startedAt = new Date(this.zeroWallMs).toISOString()
    const sources = this.#files.filter(({ kind, state }) => kind === 'source' && state !== 'removed')
    return participantsOf(this.#left, sources, { startedAt, stoppedAt: this.lastKeptAt })
  }

  get #lastKeptWallMs(): number {
    let endMs = 0
    for (const { duration_ms, offset_ms, anchors, kind } of this.#files) {
      if (kind !== 'source') continue
      const last = anchors.at(-1) ?? { file_ms: 0, recording_ms: offset_ms }
      endMs = Math.max(endMs, last.recording_ms + Math.max(0, duration_ms - last.file_ms))
    }
    return this.zeroWallMs + endMs
  }
}

/** A moment of the wall clock as `performance.now` has it. */
function monotonic(wallMs: number): number {
  return performance.now() - (Date.now() - wallMs)
}
