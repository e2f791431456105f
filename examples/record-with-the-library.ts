// Encoded frames in, one file out. Here ffmpeg stands for the encoder: H.264 with start codes and AAC as ADTS, as cameras
// and encoders give them; your own may be anything.
//   node examples/record-with-the-library.ts ./out
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { VideoRecorder } from '../src/index.ts' // from 'tapedeck' in a program of yours

const directory = process.argv[2] ?? '.'
const FPS = 25
const SAMPLE_RATE_HZ = 48_000

function encode(args: string): Promise<Buffer> {
  const child = spawn('ffmpeg', ['-v', 'error', ...args.split(' '), 'pipe:1'], { stdio: ['ignore', 'pipe', 'inherit'] })
  return buffer(child.stdout)
}

/** Access units begin with a delimiter, 00 00 00 01 09, that the encoder was asked to insert. */
function* accessUnits(stream: Buffer): Generator<Buffer> {
  const delimiter = Buffer.from([0, 0, 0, 1, 9])
  for (let start = 0; start < stream.length; ) {
    const next = stream.indexOf(delimiter, start + delimiter.length)
    const end = next < 0 ? stream.length : next
    yield stream.subarray(start, end)
    start = end
  }
}

const video = await encode(
  `-f lavfi -i testsrc2=size=640x360:rate=${FPS} -t 4 -c:v libx264 -bf 0 -g 50 -pix_fmt yuv420p -bsf:v h264_metadata=aud=insert -f h264`,
)
const audio = await encode(`-f lavfi -i sine=frequency=440:sample_rate=${SAMPLE_RATE_HZ} -t 4 -c:a aac -f adts`)

for (const name of ['show.mp4', 'show.mkv', 'show.flv']) {
  const recorder = await VideoRecorder.open(join(directory, name), {
    title: 'A test pattern',
    video: { codec: 'h264' }, // size and configuration come from the stream itself
    audio: { codec: 'aac', timescale: SAMPLE_RATE_HZ },
  })
  let frames = 0
  for (const unit of accessUnits(video)) recorder.writeFrame(unit, { ptsMs: (1000 / FPS) * frames++ })
  recorder.writeAudio(audio, { pts: 0 }) // ticks of the timescale given above; several ADTS frames in one go
  const stats = await recorder.finalize()
  console.log(
    `${recorder.path}: ${stats.videoFrames} pictures, ${stats.audioFrames} packets of sound, ${stats.durationMs} ms`,
  )
}
