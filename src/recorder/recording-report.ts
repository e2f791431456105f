import type { StreamAddress } from '../live/stream.ts'
import type { Logger } from '../media/ports.ts'
import type { Storage } from '../storage/ports.ts'
import type { AskedFormat } from './format-choice.ts'
import type { Part } from './part.ts'
import type { Pipeline } from './pipeline.ts'
import type { Presence } from './presence.ts'
import {
  bitrateOf,
  type FaultReport,
  type PartReport,
  partReport,
  type RecordingReport,
  trackReport,
} from './report.ts'
import type { SourceBook } from './source-book.ts'
import type { RecordingState } from './state-machine.ts'
import type { RecordingStats } from './stats.ts'

/** What a recording itself says in its report. */
export interface RecordingFacts {
  readonly id: string
  readonly address: StreamAddress
  readonly state: RecordingState
  readonly askedFormat: AskedFormat
  readonly startedAtMs: number
  readonly endedAtMs: number | undefined
  readonly endReason: string | undefined
  readonly error: FaultReport | undefined
}

/** What is to be said of one file of a recording, with live figures. */
export function fileReport(part: Part, { parts, timeline }: Pipeline): PartReport {
  return partReport(part, timeline.alignment, parts.lanes.frontUs)
}

/** Everything there is to say about a recording now. */
export function recordingReport(
  facts: RecordingFacts,
  pipeline: Pipeline,
  presence: Presence,
  sources: SourceBook,
  stats: RecordingStats,
): RecordingReport {
  const { parts, timeline, outages, skippedFrames } = pipeline
  const { durationMs, packets, bytes, droppedFrames, droppedBytes } = stats
  const { id, address, state, askedFormat, startedAtMs, endedAtMs, endReason, error } = facts
  return {
    version: 1,
    id,
    ...address,
    state,
    startedAt: new Date(startedAtMs).toISOString(),
    endedAt: isoTime(endedAtMs),
    endReason,
    joinedAt: isoTime(presence.joinedAtMs),
    leftAt: isoTime(presence.leftAtMs),
    reconnectWindowMs: presence.windowMs,
    reconnects: presence.reconnects,
    absences: presence.absences.report(),
    askedFormat,
    durationMs,
    frames: packets,
    bytes,
    bitrateBps: bitrateOf(bytes, durationMs),
    tracks: parts.lanes.all.map((lane) => trackReport(lane.track, lane, durationMs)),
    parts: parts.parts.map((part) => fileReport(part, pipeline)),
    gaps: parts.lanes.gaps.report(),
    jumps: timeline.jumps.report(),
    outages: outages.tally.report(),
    droppedFrames,
    droppedBytes,
    skippedFrames,
    nudgedFrames: parts.lanes.all.reduce((sum, lane) => sum + lane.nudgedFrames, timeline.nudgedFrames),
    source: sources.current,
    earlierSources: sources.earlier,
    error,
  }
}

function isoTime(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString()
}

/** The report of one recording on the disk, beside its first file. Failures are logged. */
export class ReportFile {
  readonly #storage: Storage
  readonly #logger: Logger
  #path: string | undefined

  constructor({ storage, logger }: { readonly storage: Storage; readonly logger: Logger }) {
    this.#storage = storage
    this.#logger = logger
  }

  async write(first: Part, report: RecordingReport): Promise<void> {
    const path = `${first.path}.json`
    this.#path = path
    try {
      await this.#storage.replace(path, Buffer.from(`${JSON.stringify(report, undefined, 2)}\n`))
    } catch (error) {
      this.#logger.error({ err: error, path }, 'report could not be written')
    }
  }

  /** Nothing happens where there is none. */
  async remove(): Promise<void> {
    const path = this.#path
    if (path === undefined) return
    this.#path = undefined
    try {
      await this.#storage.remove(path)
    } catch (error) {
      this.#logger.error({ err: error, path }, 'report could not be removed')
    }
  }
}
