import { randomUUID } from 'node:crypto'
import { basename, dirname, extname, resolve } from 'node:path'
import { createMuxer, extensionOf, formatOfPath } from '../container/formats.ts'
import type { Format } from '../container/reader.ts'
import type { StreamAddress } from '../live/stream.ts'
import { LimitError } from '../media/errors.ts'
import type { Track, VideoTrack } from '../media/track.ts'
import { FileExistsError } from '../storage/errors.ts'
import type { OutputFile } from '../storage/ports.ts'
import type { AskedFormat } from './format-choice.ts'
import { pathWithin } from './naming.ts'
import { Part } from './part.ts'
import type { PartReason } from './segmenter.ts'
import type { RecordingServices } from './services.ts'

/** Files of one name that are tried before giving up. */
const MAX_ATTEMPTS = 1000

/** The part that is wanted. */
export interface PartRequest {
  readonly recordingId: string
  readonly address: StreamAddress
  readonly title: string | undefined
  /** Instead of a name by the template. */
  readonly path: string | undefined
  /** Absolute: instead of the recorder's. */
  readonly directory: string | undefined
  readonly format: Format
  /** Made for sound alone: see `chooseFormat`. */
  readonly isSoundAlone: boolean
  /** See `MuxerOptions`. */
  readonly inBandSets: boolean
  readonly askedFormat: AskedFormat
  readonly index: number
  readonly reason: PartReason
  /** Wall clock at which the recording began, ms since 1970. */
  readonly recordingStartedAtMs: number
  /** At least one; all of them must fit into `format`: see `chooseFormat`. */
  readonly tracks: readonly Track[]
}

/** Makes the file under a free name, enters it in the journal, and writes its header. */
export async function createPart(services: RecordingServices, request: PartRequest): Promise<Part> {
  const { audit, register } = services
  const { address, format, askedFormat, index, reason } = request
  const file = await createFile(services, request)
  const identity = { id: randomUUID(), index, format, askedFormat, reason, ...address, createdAtMs: Date.now() }
  register.opened(identity, file.path)
  audit.note(index === 1 ? 'created' : 'rotated', file.path, {
    recording: request.recordingId,
    ...address,
    part: index,
    reason,
  })
  const title = request.title ?? `${address.room}/${address.participant}`
  const isSoundAlone = file.path.endsWith('.weba') // as it is called, so it stays
  const { inBandSets } = request
  const muxer = createMuxer(format, file, { title, creationTimeMs: identity.createdAtMs, isSoundAlone, inBandSets })
  try {
    return new Part(identity, muxer, file, request.tracks)
  } catch (error) {
    await file.abort()
    await services.storage.remove(file.path).catch(() => undefined)
    register.closed(identity.id)
    throw error
  }
}

async function createFile(services: RecordingServices, request: PartRequest): Promise<OutputFile> {
  const { directory, stem, extension } = nameOf(services, request)
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    try {
      return await services.storage.create(pathWithin(directory, stem, extension, attempt))
    } catch (error) {
      if (!(error instanceof FileExistsError)) throw error
    }
  }
  throw new LimitError(`files named ${stem}`, { limit: MAX_ATTEMPTS })
}

function nameOf(
  services: RecordingServices,
  request: PartRequest,
): { directory: string; stem: string; extension: string } {
  const extension = extensionOf(request.format, request.isSoundAlone)
  if (request.path !== undefined) {
    const path = resolve(request.path)
    const ownExtension = extname(path)
    const stem = basename(path, ownExtension)
    const part = request.index > 1 ? `_part${request.index}` : ''
    const suits = formatOfPath(path) === request.format
    return { directory: dirname(path), stem: stem + part, extension: suits ? ownExtension : extension }
  }
  const video = request.tracks.find((track) => track.kind === 'video')
  const stem = services.template.stem({
    ...request.address,
    startedAtMs: request.recordingStartedAtMs,
    codec: (video ?? request.tracks[0])?.codec ?? 'none',
    resolution: resolutionOf(video),
    part: request.index,
  })
  return { directory: request.directory ?? services.config.dir, stem, extension }
}

function resolutionOf(video: VideoTrack | undefined): string {
  if (video === undefined) return 'audio'
  return video.width === 0 ? 'unknown' : `${video.width}x${video.height}`
}
