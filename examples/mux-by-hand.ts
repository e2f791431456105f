// A file made by hand: tracks, samples, times in ticks. Here from an IVF file with VP9, which ffmpeg makes.
//   node examples/mux-by-hand.ts ./out
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { FileMuxer } from '../src/index.ts' // from 'tapedeck' in a program of yours

const directory = process.argv[2] ?? '.'
const source = join(directory, 'source.ivf')
const make = `-v error -y -f lavfi -i testsrc2=size=320x180:rate=30 -t 3 -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 30`
execFileSync('ffmpeg', [...make.split(' '), source])

/** IVF: a header of 32 bytes, then per frame its size (32 bits) and time (64 bits), little-endian. */
const ivf = readFileSync(source)
const HEADER_BYTES = 32
const timescale = ivf.readUInt32LE(16)
const frameTicks = ivf.readUInt32LE(20)

for (const name of ['by-hand.mp4', 'by-hand.mkv']) {
  const muxer = await FileMuxer.open(join(directory, name), { title: 'By hand' })
  const video = muxer.addVideoTrack({ codec: 'vp9', timescale, label: 'camera' })
  const sound = muxer.addAudioTrack({ codec: 'pcm-s16le', sampleRateHz: 48_000, channels: 1, language: 'eng' })
  for (let at = HEADER_BYTES; at < ivf.length; ) {
    const size = ivf.readUInt32LE(at)
    const dts = Number(ivf.readBigUInt64LE(at + 4)) * frameTicks
    muxer.writeVideoSample(video, ivf.subarray(at + 12, at + 12 + size), { dts })
    at += 12 + size
  }
  const silence = new Uint8Array(2 * 4800)
  for (let tenths = 0; tenths < 30; tenths++) muxer.writeAudioSample(sound, silence, { dts: tenths * 4800 })
  const stats = await muxer.finalize()
  console.log(`${muxer.path}: ${stats.videoFrames} pictures, ${stats.durationMs} ms, ${stats.sizeBytes} bytes`)
}
