import { parseManifest } from '../src/service/manifest.ts'
import { locateFile } from '../src/service/manifest-place.ts'
import type { FuzzTarget } from './target.ts'

const file = {
  ...{ file_id: 'f', kind: 'source', participant_id: 'alice', source_file_id: null, path: 'a.mp4', file_name: 'a.mp4' },
  ...{
    format: 'mp4',
    part: 1,
    state: 'open',
    offset_ms: 0,
    anchors: [{ file_ms: 0, recording_ms: 0 }],
    duration_ms: 1,
  },
  ...{ size_bytes: 1, tracks: [{ kind: 'video', codec: 'h264', width: 2, height: 2 }], error: null },
}
const recording = {
  ...{ recording_id: 'id', room_id: 'room', user_id: null, format: 'auto', quality: 'source', status: 'recording' },
  quality_settings: { resolution: null, video_bitrate: null, audio_bitrate: null, fps: null },
  ...{ storage_backend: 'local', local_path: null, s3_key: null, file_name: null, started_at: null, paused_at: null },
  ...{ stopped_at: null, resumed_at: null, processed_at: null, duration_seconds: 0, file_size_bytes: 0 },
  ...{ metadata: { deep: [[[1]]] }, error: null, files: [file, { ...file, path: '../b.mp4' }], participants: [] },
  ...{ report: null, progress: null },
}
const entry = {
  ...{ version: 1, revision: 1, recording, owner: { node: 'n', pid: 1 }, manifest_path: null, automatic: false },
  ...{ hold: false, created_at: '2026-11-21T14:00:00.000Z', markers: [], jobs: [] },
}

/** Manifests: whatever is taken can be written again, and no file of it lies outside the recording directory. */
export const target: FuzzTarget = {
  name: 'manifest',
  seeds: () => [entry, { ...entry, automatic: true }].map((value) => Buffer.from(JSON.stringify(value))),
  run(input) {
    const read = { ...parseManifest('/rec/a/recording.json', input), manifest_path: '/rec/a/recording.json' }
    JSON.stringify(read)
    for (const { path } of read.recording.files) {
      const place = locateFile(read, { path }, '/rec')
      if (!place.startsWith(read.automatic ? '/rec/' : '/rec/a/')) throw new Error(`a file lies at ${place}`)
    }
  },
}
