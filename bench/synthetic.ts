import type { AudioTrack, VideoTrack } from '../src/media/track.ts'

/** Tracks and frames that no decoder needs to like, but every muxer takes: for measuring time and memory. */
export function synthetic() {
  const video: VideoTrack = {
    id: 1,
    epoch: 0,
    timescale: 1000,
    kind: 'video',
    codec: 'h264',
    width: 1280,
    height: 720,
    // avcC of one SPS (1280x720, Baseline 3.1) and one PPS
    config: Buffer.from(
      '0142c01fffe1001667 42c01fda014016e9a808080a0000030002000003 007a8201000468ce3c80'.replaceAll(' ', ''),
      'hex',
    ),
  }
  const audio: AudioTrack = {
    id: 2,
    epoch: 0,
    timescale: 1000,
    kind: 'audio',
    codec: 'aac',
    sampleRateHz: 44100,
    channels: 2,
    config: Buffer.of(0x12, 0x10),
  }
  return {
    video,
    audio,
    keyframe: nalUnit(0x65, 12_000),
    interframe: nalUnit(0x41, 3_200),
    sound: new Uint8Array(200).fill(0x21),
  }
}

function nalUnit(header: number, sizeBytes: number): Uint8Array {
  const bytes = Buffer.alloc(sizeBytes, 0x5a)
  bytes.writeUInt32BE(sizeBytes - 4, 0)
  bytes[4] = header
  return bytes
}
