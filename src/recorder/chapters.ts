import type { Chapter } from '../media/ports.ts'
import type { Anchor } from './alignment.ts'

/** A named moment on the recording's clock. */
export interface RecordingMark {
  readonly atMs: number
  readonly title: string
}

/** Media takes a moment to come: what is marked so shortly before a recording's first frame, or after its last, means that one, ms. */
const NEAR_MS = 2000

/** The file that chapters are for. */
export interface ChapteredFile {
  readonly anchors: readonly Anchor[]
  readonly durationMs: number
  /** Of its participant's recording: with others before or after it, marks that do not lie in it are theirs. */
  readonly isFirst: boolean
  readonly isLast: boolean
}

/**
 * Marks as chapters of one file: those that lie in it, on its own time, in order. A moment that a pause closed up is where
 * the file goes on.
 */
export function chaptersOf(marks: readonly RecordingMark[], file: ChapteredFile): Chapter[] {
  const chapters: Chapter[] = []
  for (const { atMs, title } of marks) {
    const startMs = placeOf(atMs, file)
    if (startMs !== undefined) chapters.push({ startMs, title })
  }
  return chapters.sort((one, other) => one.startMs - other.startMs)
}

function placeOf(atMs: number, { anchors, durationMs, isFirst, isLast }: ChapteredFile): number | undefined {
  const at = anchors.findLastIndex(({ recordingMs }) => recordingMs <= atMs)
  const anchor = anchors[at]
  if (anchor === undefined) {
    const [first] = anchors
    return isFirst && first !== undefined && first.recordingMs - atMs <= NEAR_MS ? first.fileMs : undefined
  }
  const nextMs = anchors[at + 1]?.fileMs ?? Number.POSITIVE_INFINITY
  const startMs = Math.min(anchor.fileMs + atMs - anchor.recordingMs, nextMs)
  if (startMs <= durationMs) return startMs
  return isLast && startMs - durationMs <= NEAR_MS ? durationMs : undefined
}
