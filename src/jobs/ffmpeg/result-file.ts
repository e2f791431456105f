import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { basename, posix } from 'node:path'
import type { RecordingFile } from '../../state/recording-object.ts'
import { storageError } from '../../storage/errors.ts'
import type { Job } from '../job.ts'
import type { ProbedStream } from './stream-facts.ts'

/** What differs between the files that jobs make. */
export interface ResultFacts {
  readonly kind: RecordingFile['kind']
  readonly format: string
  /** Relative to the recording directory. */
  readonly path: string
  readonly absolutePath: string
  readonly durationMs: number
  /** Where its time 0 lies on its source's clock, ms. */
  readonly offsetMs: number
  readonly streams: readonly ProbedStream[]
}

/** A file that a job made, as the manifest lists it. Its offset is on the clock of its source. @throws StorageError */
export async function resultFile(job: Job, facts: ResultFacts): Promise<RecordingFile> {
  const { size } = await stat(facts.absolutePath).catch((error) => {
    throw storageError(facts.absolutePath, 'look at', error)
  })
  return {
    file_id: fileId(job, facts),
    kind: facts.kind,
    participant_id: job.source.participant_id,
    source_file_id: job.source.file_id,
    path: facts.path,
    file_name: basename(facts.path),
    format: facts.format,
    part: job.source.part,
    state: 'finalised',
    offset_ms: facts.offsetMs,
    anchors: [{ file_ms: 0, recording_ms: facts.offsetMs }],
    duration_ms: facts.durationMs,
    size_bytes: size,
    tracks: facts.streams.map(trackOf),
    error: null,
  }
}

/** The same in each try of a job, and no other's. */
function fileId(job: Job, { kind, path }: ResultFacts): string {
  const name = posix.basename(path)
  const hash = createHash('sha256')
    .update(JSON.stringify([job.job_id, kind, name]))
    .digest('hex')
  return `${kind}-${hash.slice(0, 16)}`
}

function trackOf(stream: ProbedStream): RecordingFile['tracks'][number] {
  const codec = stream.codec.replaceAll('_', '-')
  const label = stream.title === undefined ? {} : { label: stream.title }
  return stream.kind === 'video'
    ? { kind: 'video', codec, width: stream.width, height: stream.height, ...label }
    : { kind: 'audio', codec, sample_rate_hz: stream.sampleRateHz, channels: stream.channels, ...label }
}
