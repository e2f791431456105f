import { streamAddress } from '../live/address.ts'
import type { CatalogueEntry } from '../state/catalogue-entry.ts'
import { AUDIO_FORMATS, type AudioFormat, RECORDING_FORMATS, type RecordingFormat } from '../state/recording-object.ts'
import type { StartRequest } from './control.ts'
import { RequestError } from './errors.ts'
import { type QualityAim, qualityAim } from './quality.ts'

const MAX_METADATA_BYTES = 16 * 1024
const MAX_METADATA_DEPTH = 32
const MAX_METADATA_KEYS = 1000
/** As the schema of recordings has it, characters. */
const MAX_KEY_LENGTH = 255
const MAX_PARTICIPANTS = 1000
/** A participant may be away for so long at most, ms. */
const MAX_WINDOW_MS = 24 * 3_600_000
const MIN_PART_MS = 100
const MIN_PART_BYTES = 100_000

/** What the server does where a request says nothing, and may not be exceeded. */
export interface RequestDefaults {
  readonly maxDurationMs: number
  readonly maxSizeBytes: number | undefined
  readonly reconnectWindowMs: number
  readonly keepSource: boolean
  readonly thumbnails: boolean
  readonly audioFormat: AudioFormat
}

/** A request that was checked and completed. */
export interface RecordingPlan {
  readonly roomId: string
  readonly userId: string | null
  readonly format: RecordingFormat
  readonly audioFormat: AudioFormat
  readonly quality: string
  readonly aim: QualityAim
  /** Undefined for everybody. */
  readonly participants: readonly string[] | undefined
  readonly metadata: Readonly<Record<string, unknown>>
  readonly maxDurationMs: number
  readonly maxSizeBytes: number
  readonly reconnectWindowMs: number
  readonly partDurationMs: number | undefined
  readonly partSizeBytes: number | undefined
  readonly keepSource: boolean
  readonly thumbnails: boolean
}

/** What of a plan counts while frames are taken. */
export type RoomPlan = Pick<
  RecordingPlan,
  | 'roomId'
  | 'format'
  | 'audioFormat'
  | 'participants'
  | 'maxDurationMs'
  | 'maxSizeBytes'
  | 'reconnectWindowMs'
  | 'partDurationMs'
  | 'partSizeBytes'
>

/** The plan of a recording that a crash interrupted; `defaults` where its entry does not say. */
export function planOfEntry({ recording, options }: CatalogueEntry, defaults: RequestDefaults): RoomPlan {
  return {
    roomId: recording.room_id,
    format: options?.format ?? recording.format,
    audioFormat: options?.audio_format ?? 'auto',
    participants: options?.participants,
    maxDurationMs: options?.max_duration_ms ?? defaults.maxDurationMs,
    maxSizeBytes: options?.max_size_bytes ?? defaults.maxSizeBytes ?? Infinity,
    reconnectWindowMs: options?.reconnect_window_ms ?? defaults.reconnectWindowMs,
    partDurationMs: options?.part_duration_ms,
    partSizeBytes: options?.part_size_bytes,
  }
}

/**
 * Checks `request` against everything that can be said before the room is looked at.
 * @throws BadNameError, QualityError, RequestError
 */
export function planOf(request: StartRequest, defaults: RequestDefaults): RecordingPlan {
  const { roomId, userId, format = 'auto', quality = 'source', participants } = request
  streamAddress(roomId, 'x')
  if (userId !== null && (userId === '' || userId.length > 255))
    throw new RequestError('user', 'has 1 to 255 characters')
  if (!RECORDING_FORMATS.includes(format)) throw new RequestError('format', `is one of ${RECORDING_FORMATS.join(', ')}`)
  const { audioFormat = defaults.audioFormat } = request
  if (!AUDIO_FORMATS.includes(audioFormat))
    throw new RequestError('audioFormat', `is one of ${AUDIO_FORMATS.join(', ')}`)
  checkParticipants(roomId, participants)
  const size = bounded('maxSizeBytes', request.maxSizeBytes, 1)
  return {
    roomId,
    userId,
    format,
    audioFormat,
    quality,
    aim: qualityAim(quality),
    participants: participants === undefined || participants.length === 0 ? undefined : [...new Set(participants)],
    metadata: checkedMetadata(request.metadata ?? {}),
    maxDurationMs: Math.min(bounded('maxDurationMs', request.maxDurationMs, 1) ?? Infinity, defaults.maxDurationMs),
    maxSizeBytes: Math.min(size ?? Infinity, defaults.maxSizeBytes ?? Infinity),
    reconnectWindowMs:
      bounded('reconnectWindowMs', request.reconnectWindowMs, 0, MAX_WINDOW_MS) ?? defaults.reconnectWindowMs,
    partDurationMs: bounded('partDurationMs', request.partDurationMs, MIN_PART_MS),
    partSizeBytes: bounded('partSizeBytes', request.partSizeBytes, MIN_PART_BYTES),
    keepSource: request.keepSource ?? defaults.keepSource,
    thumbnails: request.thumbnails ?? defaults.thumbnails,
  }
}

function checkParticipants(roomId: string, participants: readonly string[] | undefined): void {
  if (participants === undefined) return
  if (participants.length > MAX_PARTICIPANTS) throw new RequestError('participants', `are at most ${MAX_PARTICIPANTS}`)
  for (const participant of participants) streamAddress(roomId, participant)
}

function bounded(name: string, value: number | undefined, least: number, most = Number.MAX_SAFE_INTEGER) {
  if (value === undefined || (Number.isFinite(value) && value >= least && value <= most)) return value
  throw new RequestError(name, `is a number from ${least} to ${most}`)
}

/** A copy as JSON has it, so that nobody changes it afterwards. */
function checkedMetadata(metadata: Readonly<Record<string, unknown>>): Record<string, unknown> {
  let text: string | undefined
  try {
    text = JSON.stringify(metadata)
  } catch {
    throw new RequestError('metadata', 'must be what JSON can say')
  }
  if (text === undefined || !text.startsWith('{')) throw new RequestError('metadata', 'must be an object')
  if (Buffer.byteLength(text) > MAX_METADATA_BYTES) {
    throw new RequestError(
      'metadata',
      `has ${Buffer.byteLength(text)} bytes as JSON, ${MAX_METADATA_BYTES} are allowed`,
    )
  }
  const copy: Record<string, unknown> = JSON.parse(text)
  const keys = Object.keys(copy)
  if (keys.length > MAX_METADATA_KEYS) throw new RequestError('metadata', `has at most ${MAX_METADATA_KEYS} keys`)
  if (keys.some((key) => key.length > MAX_KEY_LENGTH)) {
    throw new RequestError('metadata', `has keys of at most ${MAX_KEY_LENGTH} characters`)
  }
  if (depthOf(copy) > MAX_METADATA_DEPTH) throw new RequestError('metadata', `is at most ${MAX_METADATA_DEPTH} deep`)
  return copy
}

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  let deepest = 0
  for (const inner of Object.values(value)) deepest = Math.max(deepest, depthOf(inner))
  return deepest + 1
}
