import type { Part } from '../recorder/part.ts'
import type { Recording } from '../recorder/recording.ts'
import type { RecordingFile } from '../state/recording-object.ts'
import { ParticipantTake } from './participant-take.ts'
import type { Past } from './past.ts'

/** What all participants gave to a recording of a room, and what there was of them before a crash. */
export class RoomTakes {
  readonly #takes = new Map<string, ParticipantTake>()
  /** Ids of files in the order in which they were made. */
  readonly #fileIds: string[] = []
  readonly #past: Past | undefined

  constructor(past?: Past) {
    this.#past = past
    this.takeUp()
  }

  /** In the order in which they came. */
  get all(): readonly ParticipantTake[] {
    return [...this.#takes.values()]
  }
  get size(): number {
    return this.#takes.size
  }
  get stretches(): readonly Recording[] {
    return this.all.flatMap((take) => take.stretches)
  }
  /** What takes frames now. */
  get active(): readonly Recording[] {
    return this.all.flatMap((take) => take.active ?? [])
  }
  get fileCount(): number {
    return this.#fileIds.length
  }
  /** Of the furthest participant. */
  get durationMs(): number {
    let durationMs = 0
    for (const take of this.#takes.values()) durationMs = Math.max(durationMs, take.durationMs)
    return durationMs
  }
  get sizeBytes(): number {
    let sizeBytes = 0
    for (const take of this.#takes.values()) sizeBytes += take.sizeBytes
    return sizeBytes
  }
  /** What all together write now. */
  get bitrateBps(): number {
    let bitrateBps = 0
    for (const take of this.#takes.values()) bitrateBps += take.bitrateBps
    return bitrateBps
  }

  find(participantId: string): ParticipantTake | undefined {
    return this.#takes.get(participantId)
  }

  /** That of `participantId`, made when there is none; undefined when there are as many as `most`. */
  of(participantId: string, most: number): ParticipantTake | undefined {
    const known = this.#takes.get(participantId)
    if (known !== undefined || this.#takes.size >= most) return known
    const take = new ParticipantTake(participantId)
    this.#takes.set(participantId, take)
    return take
  }

  created(part: Part): void {
    this.#fileIds.push(part.identity.id)
  }

  /** Takes in whom, and which files, there were before a crash: again when that is better known. */
  takeUp(): void {
    const { participants = [], files = [] } = this.#past ?? {}
    for (const { participant_id: id } of participants) {
      if (!this.#takes.has(id)) this.#takes.set(id, new ParticipantTake(id, this.#past))
    }
    for (const { file_id: id } of files) if (!this.#fileIds.includes(id)) this.#fileIds.push(id)
  }

  /** All files, in the order in which they were made. */
  files(manifestPath: string): RecordingFile[] {
    const loose = this.#past?.filesOf(null) ?? []
    const files = [...loose, ...this.all.flatMap((take) => take.files(manifestPath))]
    if (this.#takes.size < 2) return files
    const places = new Map(this.#fileIds.map((id, i) => [id, i]))
    return files.sort((one, other) => (places.get(one.file_id) ?? 0) - (places.get(other.file_id) ?? 0))
  }
}
