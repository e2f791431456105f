// Recordings inside a media server of yours: a participant whose frames you hand over, a recording of its room that is started,
// marked and stopped, and the files afterwards. Here the media is two seconds of a tone, as PCM.
//   node examples/recording-engine.ts ./out
import { join } from 'node:path'
import { RecordingEngine } from '../src/index.ts' // from 'tapedeck' in a program of yours

const directory = process.argv[2] ?? '.'
const engine = await RecordingEngine.open({
  recordDir: join(directory, 'recordings'),
  dataDir: join(directory, 'data'),
})
engine.on('recordingStarted', ({ recording_id, room_id }) => console.log(`${room_id}: recording ${recording_id}`))
engine.on('recordingCompleted', ({ files }) => console.log(`completed: ${files.map(({ path }) => path).join(', ')}`))
engine.on('recordingFailed', ({ error }) => console.log(`failed: ${error?.message}`))

const sampleRateHz = 48_000
const tone = engine.participant('studio', 'tone', { audio: { codec: 'pcm-s16le', sampleRateHz, channels: 1 } })
const { recording_id: id } = await engine.startRecording('studio', { format: 'mkv', metadata: { take: 1 } })
for (let tick = 0; tick < 2 * sampleRateHz; tick += 960) {
  const samples = Int16Array.from({ length: 960 }, (_, i) => 9000 * Math.sin((tick + i) * 0.0576))
  tone.writeAudio(new Uint8Array(samples.buffer), { ptsMs: (tick * 1000) / sampleRateHz })
}
tone.end()

await engine.stopRecording(id)
const { status, duration_seconds } = await engine.finished(id)
console.log(`${status}, ${duration_seconds} s`)
await engine.close()
