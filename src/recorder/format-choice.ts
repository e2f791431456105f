import { canHold } from '../container/formats.ts'
import type { Format } from '../container/reader.ts'
import type { Track } from '../media/track.ts'
import type { AudioFormat } from '../state/recording-object.ts'

/** A container, or `auto`: the one that holds what is published. */
export type AskedFormat = Exclude<Format, 'ogg'> | 'auto'

/** What is known of pictures that have not come: none will, they may (the session has a place for them), or they are on their way. */
export type ExpectedVideo = 'none' | 'possible' | 'flowing'

/** What a file is to be. */
export interface FormatChoice {
  readonly format: Format
  /** Made for sound alone: pictures that come later go into another file. */
  readonly isSoundAlone: boolean
}

/** What decides the container of a file. */
export interface FormatRequest {
  readonly asked: AskedFormat
  readonly askedAudio: AudioFormat
  readonly tracks: readonly Track[]
  readonly video: ExpectedVideo
  /** Of the file before. */
  readonly last?: Format | undefined
}

/**
 * The container for what is published. Sound goes into the format asked for sound where no pictures are on their way, if that
 * holds it; everything else goes by `formatFor`. Sound by itself counts as sound alone where no pictures can come.
 */
export function chooseFormat({ asked, askedAudio, tracks, video, last }: FormatRequest): FormatChoice {
  const isSound = tracks.every(({ kind }) => kind === 'audio')
  if (isSound && askedAudio !== 'auto' && video !== 'flowing') {
    const format = askedAudio === 'weba' ? 'webm' : askedAudio
    if (holdsAll(format, tracks)) return { format, isSoundAlone: true }
  }
  return { format: formatFor(asked, tracks, last), isSoundAlone: isSound && video === 'none' }
}

/**
 * The container for `tracks`: the asked one if it holds them all, else Matroska, else MP4, which holds every codec there is.
 *
 * `auto` is WebM for VP8, VP9, AV1 and Opus alone; otherwise MP4, as long as no VP8 is among them, which few players take
 * from MP4; otherwise Matroska. Once a file has been begun (`last`), the next one is of the same kind if that will do.
 */
export function formatFor(asked: AskedFormat, tracks: readonly Track[], last?: Format): Format {
  if (asked !== 'auto') return [asked, 'mkv' as const].find((format) => holdsAll(format, tracks)) ?? 'mp4'
  if (last !== undefined && last !== 'ogg' && holdsAll(last, tracks)) return last
  if (holdsAll('webm', tracks)) return 'webm'
  if (tracks.some(({ codec }) => codec === 'vp8') && holdsAll('mkv', tracks)) return 'mkv'
  return 'mp4'
}

function holdsAll(format: Format, tracks: readonly Track[]): boolean {
  return (format !== 'ogg' || tracks.length === 1) && tracks.every((track) => holds(format, track))
}

/** Whether files of `format` keep all of `track`: an alpha channel has a place in Matroska alone. */
export function holds(format: Format, track: Track): boolean {
  const isMatroska = format === 'mkv' || format === 'webm'
  return canHold(format, track.codec) && (isMatroska || track.kind === 'audio' || track.hasAlpha !== true)
}
