import { extname } from 'node:path'
import { openContainer } from '../container/formats.ts'
import { TapedeckError } from '../media/errors.ts'
import type { Track } from '../media/track.ts'
import { mendFile } from '../recorder/mending.ts'
import type { RecordingFile } from '../state/recording-object.ts'
import type { Storage } from '../storage/ports.ts'

/** Endings of files that recorders write. */
const MEDIA_ENDINGS = new Set(['.mp4', '.webm', '.weba', '.mkv', '.flv', '.ogg'])

/** What one file on disk is. */
export interface FileFacts {
  readonly state: 'finalised' | 'torn'
  readonly format: string
  readonly sizeBytes: number
  /** 0 where there is no frame in it. */
  readonly durationMs: number
  readonly hasMedia: boolean
  readonly tracks: RecordingFile['tracks']
  readonly title: string | undefined
}

/** Whether a path has the name of a recording file. */
export function isMediaPath(path: string): boolean {
  return MEDIA_ENDINGS.has(extname(path).toLowerCase())
}

/**
 * Looks at one file; with `mends`, a torn one is mended first, and removed where no frame is in it. Undefined when there is no
 * such file, or no more. What is not one of our containers is `torn`, without media.
 * @throws StorageError when the disk fails
 */
export async function surveyFile(storage: Storage, path: string, mends: boolean): Promise<FileFacts | undefined> {
  const facts = await present(() => look(storage, path))
  if (facts === undefined || !mends || facts.state === 'finalised') return facts
  const mended = await present(() => mendFile(storage, path))
  if (mended?.removed === true) return undefined
  return mended === undefined ? facts : present(() => look(storage, path))
}

/** Undefined for a file that is not there, and for one that cannot be made sense of. */
async function present<T>(act: () => Promise<T>): Promise<T | undefined> {
  try {
    return await act()
  } catch (error) {
    const isGone = error instanceof TapedeckError && error.code === 'TD_FILE_MISSING'
    if (isGone || (error instanceof TapedeckError && error.fault === 'peer')) return undefined
    throw error
  }
}

async function look(storage: Storage, path: string): Promise<FileFacts> {
  const file = await storage.open(path)
  const { sizeBytes } = file
  const nothing = { state: 'torn', format: extname(path).slice(1), sizeBytes, durationMs: 0, hasMedia: false } as const
  try {
    const reader = await openContainer(file)
    let endMs = 0
    let hasMedia = false
    for await (const { track, pts } of reader.samples()) {
      hasMedia = true
      if (reader.statedDurationMs !== undefined) break
      endMs = Math.max(endMs, (pts * 1000) / track.timescale)
    }
    return {
      state: reader.finalised ? 'finalised' : 'torn',
      format: reader.format,
      sizeBytes,
      durationMs: hasMedia ? (reader.statedDurationMs ?? endMs) : 0,
      hasMedia,
      tracks: reader.tracks.slice(0, 64).map(describeTrack),
      title: reader.title,
    }
  } catch (error) {
    if (error instanceof TapedeckError && error.fault === 'peer') return { ...nothing, tracks: [], title: undefined }
    throw error
  } finally {
    await file.close()
  }
}

function describeTrack(track: Track): RecordingFile['tracks'][number] {
  const { kind, codec, label } = track
  return {
    kind,
    codec,
    ...(track.kind === 'video'
      ? { width: track.width, height: track.height }
      : { sample_rate_hz: track.sampleRateHz, channels: track.channels }),
    ...(label === undefined ? {} : { label: label.slice(0, 4096) }),
  }
}
