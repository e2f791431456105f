import { canHold } from '../container/formats.ts'
import type { Format } from '../container/reader.ts'
import type { Track } from '../media/track.ts'

/** A container, or `auto`: the one that holds what is published. */
export type AskedFormat = Format | 'auto'

/**
 * The container for `tracks`: the asked one if it holds them all, else Matroska, else MP4, which holds every codec there is.
 *
 * `auto` is WebM for VP8, VP9, AV1 and Opus alone; otherwise MP4, as long as no VP8 is among them, which few players take
 * from MP4; otherwise Matroska. Once a file has been begun (`last`), the next one is of the same kind if that will do.
 */
export function formatFor(asked: AskedFormat, tracks: readonly Track[], last?: Format): Format {
  const holds = (format: Format) => tracks.every(({ codec }) => canHold(format, codec))
  if (asked !== 'auto') return [asked, 'mkv' as const].find(holds) ?? 'mp4'
  if (last !== undefined && holds(last)) return last
  if (holds('webm')) return 'webm'
  if (tracks.some(({ codec }) => codec === 'vp8') && holds('mkv')) return 'mkv'
  return 'mp4'
}
