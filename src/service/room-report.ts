import { relative } from 'node:path'
import { NothingRecordedError } from '../recorder/outcome.ts'
import { faultReport } from '../recorder/report.ts'
import type { RecordingObject } from '../state/recording-object.ts'
import { NobodyCameError } from './errors.ts'
import type { ParticipantTake } from './participant-take.ts'
import type { Past } from './past.ts'
import { errorObject } from './recorded-files.ts'
import { interruption } from './settlement.ts'

/** What is known of a recording whose files are final. */
export interface RoomFacts {
  readonly roomId: string
  /** Absolute. */
  readonly recordDir: string
  readonly stopReason: string | undefined
  readonly takes: readonly ParticipantTake[]
  readonly past: Past | undefined
  /** There is a file. */
  readonly kept: boolean
}

const NOTHING_RECORDED = new NothingRecordedError({ room: '', participant: '' }, undefined).code

/** Whether a crash ended it, as it turned out: nothing has come since. */
export function wasEnded({ past, takes }: Pick<RoomFacts, 'past' | 'takes'>): boolean {
  if (past === undefined) return false
  return takes.every(({ stretches }) => stretches.every(({ parts }) => parts.every(({ state }) => state === 'removed')))
}

/** Why nothing, or not all, was kept; null when all went well. */
export function errorOf(facts: RoomFacts): RecordingObject['error'] {
  const { roomId, takes, kept } = facts
  if (wasEnded(facts)) return interruption(kept)
  const errors = takes
    .flatMap(({ stretches }) => stretches.map((stretch) => stretch.report().error))
    .filter((error) => error !== undefined)
  // one of several who sent nothing is no fault of the recording
  const told = kept
    ? errors.find(({ code }) => code !== NOTHING_RECORDED)
    : (errors[0] ?? faultReport(new NobodyCameError(roomId)))
  return told === undefined ? null : errorObject(told)
}

/** Everything there is to say of it, as JSON has it. */
export function reportOf({ recordDir, stopReason, takes, past }: RoomFacts): Record<string, unknown> {
  const participants = takes.map((take) => ({
    participant_id: take.participantId,
    recordings: take.stretches.map((stretch) => {
      const report = stretch.report()
      return { ...report, parts: report.parts.map((part) => ({ ...part, path: relative(recordDir, part.path) })) }
    }),
  }))
  const interruptions = past?.interruptions
  return JSON.parse(JSON.stringify({ version: 1, stop_reason: stopReason, interruptions, participants }))
}
