import { attributeOf, type MediaDescription } from './session-description.ts'

/** Names of tracks end up in files and on screens. */
const MAX_LABEL_CHARS = 64
const USUAL = { video: ['camera', 'screen'], audio: ['microphone', 'screen audio'] } as const

/**
 * What a person would call the track: as asked for, as its `i=` line says, by its `a=content` (RFC 4796 §5), else by what the
 * first and the second of their kind usually are. `index` is how many of its kind came before.
 */
export function trackLabel(
  media: MediaDescription,
  kind: 'video' | 'audio',
  wanted: string | undefined,
  index: number,
): string {
  const title = wanted ?? media.title?.trim()
  if (title !== undefined && title !== '') return title.slice(0, MAX_LABEL_CHARS)
  if (kind === 'video' && attributeOf(media, 'content') === 'slides') return 'screen'
  return USUAL[kind][index] ?? `${kind} ${index + 1}`
}
