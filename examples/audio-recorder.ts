// PCM in, sound files out: WAV and FLAC by tapedeck itself, MP3 with the help of ffmpeg.
//   node examples/audio-recorder.ts ./out
import { join } from 'node:path'
import { AudioRecorder, FfmpegMissingError } from '../src/index.ts' // from 'tapedeck' in a program of yours

const directory = process.argv[2] ?? '.'
const sampleRateHz = 48_000

/** One second of a tone, stereo, as a sound card would give it. */
function second(frequencyHz: number): Int16Array {
  return Int16Array.from({ length: 2 * sampleRateHz }, (_, i) =>
    Math.round(12_000 * Math.sin((2 * Math.PI * frequencyHz * Math.floor(i / 2)) / sampleRateHz)),
  )
}

for (const name of ['tone.wav', 'tone.flac', 'tone.mp3']) {
  try {
    const recorder = await AudioRecorder.open(join(directory, name), { sampleRateHz, channels: 2 })
    for (const frequencyHz of [440, 550, 660]) {
      recorder.writeSamples(second(frequencyHz))
      await recorder.drain() // only needed when samples come faster than a disk or an encoder takes them
    }
    const { durationMs } = await recorder.finalize()
    console.log(`${recorder.path}: ${durationMs} ms`)
  } catch (error) {
    if (!(error instanceof FfmpegMissingError)) throw error
    console.log(error.message)
  }
}
