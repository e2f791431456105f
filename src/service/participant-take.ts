import type { Recording } from '../recorder/recording.ts'
import type { RecordedParticipant, RecordingFile } from '../state/recording-object.ts'
import { fileOf } from './recorded-files.ts'

/** What one participant gave to a recording of a room: one stretch after the other, each with files of its own. */
export class ParticipantTake {
  readonly participantId: string
  readonly #stretches: Recording[] = []

  constructor(participantId: string) {
    this.participantId = participantId
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
    let sum = 0
    for (const stretch of this.#stretches) sum += stretch.frontMs
    return sum
  }
  get sizeBytes(): number {
    let sum = 0
    for (const { parts } of this.#stretches) {
      for (const part of parts) if (part.state !== 'removed') sum += part.sizeBytes
    }
    return sum
  }
  /** Now, bits per second. */
  get bitrateBps(): number {
    return this.active?.stats().bitrateBps ?? 0
  }

  add(stretch: Recording): void {
    if (!this.#stretches.includes(stretch)) this.#stretches.push(stretch)
  }

  participant(): RecordedParticipant {
    const joinedAtMs = this.#stretches.map((stretch) => stretch.joinedAtMs).find((atMs) => atMs !== undefined)
    const last = this.#stretches.at(-1)
    const isConnected = last !== undefined && !isOver(last) && !last.isAway
    const leftAtMs = isConnected ? undefined : last?.leftAtMs
    return {
      participant_id: this.participantId,
      joined_at: timeText(joinedAtMs),
      left_at: timeText(leftAtMs),
      is_connected: isConnected,
      reconnects: this.#stretches.reduce((sum, stretch) => sum + stretch.reconnects, 0),
    }
  }

  /** All files so far, oldest first. */
  files(manifestPath: string): RecordingFile[] {
    const place = { manifestPath, participantId: this.participantId }
    const parts = this.#stretches.flatMap((stretch) => stretch.files())
    return parts.map((part, i) => fileOf(part, { ...place, number: i + 1 }))
  }
}

/** Takes no frames any more. */
export function isOver({ state }: Recording): boolean {
  return state !== 'pending' && state !== 'recording' && state !== 'paused'
}

function timeText(atMs: number | undefined): string | null {
  return atMs === undefined ? null : new Date(atMs).toISOString()
}
