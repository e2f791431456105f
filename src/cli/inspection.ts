import { codecString } from '../codec/codec-string.ts'
import { openContainer } from '../container/formats.ts'
import type { ContainerReader, Fault, Format, Progress } from '../container/reader.ts'
import { toMs } from '../media/clock.ts'
import type { ByteSource } from '../media/ports.ts'
import { TrackSurvey, type TrackSurveyReport } from './track-survey.ts'

/** Faults and gaps that are listed; all are counted. */
const MAX_LISTED = 100

/** One track of a file, with what its samples show. */
export interface InspectedTrack extends TrackSurveyReport {
  readonly id: number
  readonly kind: 'video' | 'audio'
  readonly codec: string
  /** RFC 6381; null where it cannot be told. */
  readonly codecString: string | null
  readonly width?: number
  readonly height?: number
  readonly frameRate?: number
  readonly sampleRateHz?: number
  readonly channels?: number
  readonly label?: string
  readonly language?: string
}

/** Everything `inspect` knows of a file. Stable: it is what `--json` prints. */
export interface Inspection {
  readonly path: string
  readonly format: Format
  readonly sizeBytes: number
  /** Index, duration and headers are complete. */
  readonly finalised: boolean
  readonly title: string | null
  /** As the file says; null while it does not. */
  readonly statedDurationMs: number | null
  /** As the samples show, from the first to the end of the last. */
  readonly durationMs: number
  readonly bitrateBps: number
  readonly tracks: readonly InspectedTrack[]
  readonly faultCount: number
  /** The first hundred. */
  readonly faults: readonly Fault[]
}

/**
 * Reads every sample's place and time, no sample's data.
 * @throws MalformedError when it is none of our formats
 */
export async function inspectFile(path: string, source: ByteSource, onProgress: Progress): Promise<Inspection> {
  const reader = await openContainer(source)
  const surveys = new Map<number, TrackSurvey>()
  for await (const sample of reader.samples()) {
    let survey = surveys.get(sample.track.id)
    if (survey === undefined) surveys.set(sample.track.id, (survey = new TrackSurvey(sample.track)))
    survey.add(sample)
    onProgress(sample.offset + sample.size, source.sizeBytes)
  }
  return summarise(path, source.sizeBytes, reader, surveys)
}

function summarise(
  path: string,
  sizeBytes: number,
  reader: ContainerReader,
  surveys: ReadonlyMap<number, TrackSurvey>,
): Inspection {
  const all = [...surveys.values()].filter((survey) => survey.samples > 0)
  const startMs = Math.min(...all.map((survey) => toMs(survey.first, survey.track.timescale)))
  const endMs = Math.max(...all.map((survey) => toMs(survey.end, survey.track.timescale)))
  const durationMs = all.length === 0 ? 0 : endMs - startMs
  const mediaBytes = all.reduce((sum, survey) => sum + survey.bytes, 0)
  return {
    path,
    format: reader.format,
    sizeBytes,
    finalised: reader.finalised,
    title: reader.title ?? null,
    statedDurationMs: reader.statedDurationMs ?? null,
    durationMs,
    bitrateBps: durationMs === 0 ? 0 : Math.round((mediaBytes * 8000) / durationMs),
    tracks: reader.tracks.map((track) => inspectTrack(surveys.get(track.id) ?? new TrackSurvey(track))),
    faultCount: reader.faults.length,
    faults: reader.faults.slice(0, MAX_LISTED),
  }
}

function inspectTrack(survey: TrackSurvey): InspectedTrack {
  const { track } = survey
  const { id, kind, codec, label, language } = track
  const picture = track.kind === 'video' ? { width: track.width, height: track.height } : {}
  const rate = track.kind === 'video' && track.frameRate !== undefined ? { frameRate: track.frameRate } : {}
  const sound = track.kind === 'audio' ? { sampleRateHz: track.sampleRateHz, channels: track.channels } : {}
  return {
    id,
    kind,
    codec,
    codecString: codecString(track) || null,
    ...picture,
    ...rate,
    ...sound,
    ...(label === undefined ? {} : { label }),
    ...(language === undefined ? {} : { language }),
    ...survey.report(),
  }
}
