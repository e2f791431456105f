import { LineSplitter } from '../src/jobs/ffmpeg/line-splitter.ts'
import { PacketTally } from '../src/jobs/ffmpeg/packet-tally.ts'
import { parseStreams } from '../src/jobs/ffmpeg/stream-facts.ts'
import type { FuzzTarget } from './target.ts'

const header = {
  format: { duration: '6.0', start_time: '0.0' },
  streams: [
    { index: 0, codec_type: 'video', codec_name: 'h264', width: 1920, height: 1080, sample_aspect_ratio: '4:3' },
    { index: 1, codec_type: 'audio', codec_name: 'aac', sample_rate: '48000', channels: 2, tags: { title: 'guest' } },
    { index: 2, codec_type: 'video', disposition: { attached_pic: 1 }, side_data_list: [{ rotation: -90 }] },
  ],
}
const packets = '0|0.08|0|0.04|500|K__\n0|0.04|0.04|N/A|20|___\n\n1|-0.02|-0.02|0.02|9|KD_\n'

/** What ffprobe says of a file, which may have been made to make it say something strange. */
export const target: FuzzTarget = {
  name: 'ffprobe',
  seeds: () => [JSON.stringify(header), packets].map((text) => Buffer.from(text)),
  run(input) {
    const tally = new PacketTally()
    const lines = new LineSplitter((line) => {
      const [, pts, dts, duration, size, flags] = line.split('|')
      tally.add(Number(pts), Number(dts), Number(duration), Number(size), flags ?? '')
    })
    const bytes = Buffer.from(input)
    lines.push(bytes.subarray(0, bytes.length >> 1))
    lines.push(bytes.subarray(bytes.length >> 1))
    lines.end()
    tally.sum()
    parseStreams(bytes.toString('utf8'), 'file')
  },
}
