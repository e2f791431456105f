import type { Recording } from '../recorder/recording.ts'
import type { RecordedParticipant, RecordingFile } from '../state/recording-object.ts'
import type { Past } from './past.ts'
import { fileOf } from './recorded-files.ts'

/** What one participant gave to a recording of a room: one stretch after the other, each with files of its own. */
export class ParticipantTake {
  readonly participantId: string
  readonly #stretches: Recording[] = []
  readonly #past: Past | undefined

  /** `past`: what there was of it before a crash, if anything. */
  constructor(participantId: string, past?: Past) {
    this.participantId = participantId
    this.#past = past
  }

  /** The stretch that can still take frames, if there is one. */
  get active(): Recording | undefined {
    const last = this.#stretches.at(-1)
    return last === undefined || isOver(last) ? undefined : last
  }
  get stretches(): readonly Recording[] {
    return this.#stretches
  }
  /** Media so far, ms, pauses closed up. */
  get durationMs(): number {
    let sum = this.#past?.durationMs(this.participantId) ?? 0
    for (const stretch of this.#stretches) sum += stretch.frontMs
    return sum
  }
  get sizeBytes(): number {
    let sum = this.#past?.sizeBytes(this.participantId) ?? 0
    for (const { parts } of this.#stretches) {
      for (const part of parts) if (part.state !== 'removed') sum += part.sizeBytes
    }
    return sum
  }
  get fileCount(): number {
    const before = this.#past?.filesOf(this.participantId).length ?? 0
    return this.#stretches.reduce((sum, { parts }) => sum + parts.length, before)
  }
  /** Now, bits per second. */
  get bitrateBps(): number {
    return this.active?.stats().bitrateBps ?? 0
  }

  add(stretch: Recording): void {
    if (!this.#stretches.includes(stretch)) this.#stretches.push(stretch)
  }

  participant(): RecordedParticipant {
    const before = this.#past?.participant(this.participantId)
    const last = this.#stretches.at(-1)
    if (before !== undefined && last === undefined) return before
    const joinedAtMs = this.#stretches.map((stretch) => stretch.joinedAtMs).find((atMs) => atMs !== undefined)
    const isConnected = last !== undefined && !isOver(last) && !last.isAway
    const leftAtMs = isConnected ? undefined : last?.leftAtMs
    return {
      participant_id: this.participantId,
      joined_at: before?.joined_at ?? timeText(joinedAtMs),
      left_at: timeText(leftAtMs),
      is_connected: isConnected,
      reconnects: this.#stretches.reduce((sum, stretch) => sum + stretch.reconnects, this.#reconnectsBefore),
    }
  }

  /** All files so far, oldest first. */
  files(manifestPath: string): RecordingFile[] {
    const place = { manifestPath, participantId: this.participantId }
    const before = this.#past?.filesOf(this.participantId) ?? []
    const parts = this.#stretches.flatMap((stretch) => stretch.files())
    return [...before, ...parts.map((part, i) => fileOf(part, { ...place, number: before.length + i + 1 }))]
  }

  /** That it is here again after a crash counts as coming back. */
  get #reconnectsBefore(): number {
    const before = this.#past?.participant(this.participantId)
    return before === undefined ? 0 : before.reconnects + (this.#stretches.length > 0 ? 1 : 0)
  }
}

/** Takes no frames any more. */
export function isOver({ state }: Recording): boolean {
  return state !== 'pending' && state !== 'recording' && state !== 'paused'
}

function timeText(atMs: number | undefined): string | null {
  return atMs === undefined ? null : new Date(atMs).toISOString()
}
