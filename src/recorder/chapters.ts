import type { Chapter } from '../media/ports.ts'
import type { Anchor } from './alignment.ts'

/** A named moment on the recording's clock. */
export interface RecordingMark {
  readonly atMs: number
  readonly title: string
}

/**
 * Marks as chapters of one file: those that lie in it, on its own time, in order. A moment that a pause closed up is where
 * the file goes on.
 */
export function chaptersOf(
  marks: readonly RecordingMark[],
  file: { readonly anchors: readonly Anchor[]; readonly durationMs: number },
): Chapter[] {
  const chapters: Chapter[] = []
  for (const { atMs, title } of marks) {
    const at = file.anchors.findLastIndex(({ recordingMs }) => recordingMs <= atMs)
    const anchor = file.anchors[at]
    if (anchor === undefined) continue
    const nextMs = file.anchors[at + 1]?.fileMs ?? Number.POSITIVE_INFINITY
    const startMs = Math.min(anchor.fileMs + atMs - anchor.recordingMs, nextMs)
    if (startMs <= file.durationMs) chapters.push({ startMs, title })
  }
  return chapters.sort((one, other) => one.startMs - other.startMs)
}
