import { expect, it } from 'vitest'
import { onRecordingClock } from '../../src/service/job-results.ts'
import type { RecordingFile } from '../../src/state/recording-object.ts'

const file = (kind: RecordingFile['kind'], offset_ms: number, anchors: RecordingFile['anchors']): RecordingFile => ({
  file_id: kind,
  kind,
  participant_id: 'alice',
  source_file_id: kind === 'source' ? null : 'source',
  path: 'a.mp4',
  file_name: 'a.mp4',
  format: 'mp4',
  part: 1,
  state: 'finalised',
  offset_ms,
  anchors,
  duration_ms: 60_000,
  size_bytes: 1,
  tracks: [],
  error: null,
})
/** Came 5 s late; a pause of 3 s was closed up at 10 s of its own time. */
const source = file('source', 5000, [
  { file_ms: 0, recording_ms: 5000 },
  { file_ms: 10_000, recording_ms: 18_000 },
])

it('a rendition lies where its source does, also where it begins a little later', () => {
  expect(onRecordingClock(file('rendition', 0, []), source)).toMatchObject({ offset_ms: 5000, anchors: source.anchors })
  expect(onRecordingClock(file('remux', 20, []), source)).toMatchObject({
    offset_ms: 5020,
    anchors: [
      { file_ms: 0, recording_ms: 5020 },
      { file_ms: 9980, recording_ms: 18_000 },
    ],
  })
})

it('a picture lies where it is shown, also after a pause', () => {
  expect(onRecordingClock(file('thumbnail', 2000, []), source).offset_ms).toBe(7000)
  expect(onRecordingClock(file('thumbnail', 15_000, []), source).offset_ms).toBe(23_000)
})

it('what has no source that is known stays as it is', () => {
  const lone = file('rendition', 20, [])
  expect(onRecordingClock(lone, undefined)).toBe(lone)
  const sheet = file('sprite', 0, [])
  expect(onRecordingClock(sheet, source)).toBe(sheet)
})
