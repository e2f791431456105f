import type { RecordingFile } from '../state/recording-object.ts'

type Anchors = RecordingFile['anchors']

/**
 * A file that a job made of `source`, on the recording's clock. A job knows its source alone: the times of its result are on
 * the source's own clock.
 */
export function onRecordingClock(made: RecordingFile, source: RecordingFile | undefined): RecordingFile {
  if (source === undefined || made.kind === 'sprite' || made.kind === 'vtt') return made
  if (made.kind === 'thumbnail') {
    const shownAt = recordingMsAt(source, made.offset_ms)
    return { ...made, offset_ms: shownAt, anchors: [{ file_ms: 0, recording_ms: shownAt }] }
  }
  const beginsAt = made.offset_ms
  const first = { file_ms: 0, recording_ms: recordingMsAt(source, beginsAt) }
  const later: Anchors = source.anchors
    .filter(({ file_ms }) => file_ms > beginsAt)
    .map(({ file_ms, recording_ms }) => ({ file_ms: file_ms - beginsAt, recording_ms }))
  return { ...made, offset_ms: first.recording_ms, anchors: [first, ...later] }
}

/** Where time `fileMs` of `file` lies on the recording's clock. */
function recordingMsAt(file: RecordingFile, fileMs: number): number {
  const anchor = file.anchors.findLast(({ file_ms }) => file_ms <= Math.max(0, fileMs))
  const { file_ms, recording_ms } = anchor ?? { file_ms: 0, recording_ms: file.offset_ms }
  return recording_ms + fileMs - file_ms
}
