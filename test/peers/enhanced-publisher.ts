import { once } from 'node:events'
import {
  CODED_FRAMES,
  CODED_FRAMES_X,
  type EnhancedPacket,
  enhanced,
  SEQUENCE_END,
  SEQUENCE_START,
} from './enhanced-tags.ts'
import { RtmpWire } from './rtmp-wire.ts'
import type { Elementary, Sample } from './samples.ts'

/** Bytes that may wait in the socket. */
const MAX_WAITING_BYTES = 4_000_000

/** An elementary stream on its way out. */
export interface OutgoingTrack {
  readonly kind: 'video' | 'audio'
  readonly fourCc: string
  /** E-RTMP multitrack; the default track where there is none. */
  readonly trackId?: number
  readonly stream: Elementary
}

/** Connects as a publisher that knows enhanced RTMP, and publishes `app`/`name`. */
export async function publisher(port: number, app: string, name: string): Promise<RtmpWire> {
  const wire = await RtmpWire.open(port)
  const fourCcs = ['avc1', 'hvc1', 'av01', 'vp09', 'mp4a', 'Opus', '.mp3', 'ac-3', 'fLaC']
  await wire.app(app, { fourCcList: fourCcs.join(), capsEx: 14 })
  wire.setChunkSize(4000)
  await wire.publish(name)
  return wire
}

/**
 * Sends `tracks` side by side in the order of their decoding times, as fast as they go: sequence headers first, sequence
 * ends last. A sample of time 0 goes out with timestamp `zeroMs`.
 */
export async function sendTracks(wire: RtmpWire, tracks: readonly OutgoingTrack[], zeroMs: number): Promise<void> {
  for (const track of tracks) {
    const { config } = track.stream
    if (config.length > 0) send(wire, zeroMs, { ...track, packetType: SEQUENCE_START, data: config })
  }
  const samples = tracks.flatMap((track) => track.stream.samples.map((sample) => ({ track, sample })))
  samples.sort((a, b) => a.sample.dtsMs - b.sample.dtsMs)
  for (const { track, sample } of samples) {
    send(wire, sample.dtsMs + zeroMs, coded(track, sample))
    if (wire.socket.writableLength > MAX_WAITING_BYTES) await once(wire.socket, 'drain')
  }
  const endMs = samples[samples.length - 1].sample.dtsMs + zeroMs
  for (const track of tracks) send(wire, endMs, { ...track, packetType: SEQUENCE_END, data: Buffer.alloc(0) })
}

function send(wire: RtmpWire, timestampMs: number, packet: EnhancedPacket): void {
  // 32 bits, RTMP 1.0 §5.3.1.3
  const timestamp = timestampMs % 2 ** 32
  if (packet.kind === 'video') wire.video(timestamp, enhanced(packet))
  else wire.audio(timestamp, enhanced(packet))
}

/** CodedFramesX where that says the same (E-RTMP v2 enum VideoPacketType). */
function coded(track: OutgoingTrack, { ptsMs, dtsMs, key, data }: Sample): EnhancedPacket {
  const isTimed = track.fourCc === 'hvc1' || track.fourCc === 'avc1'
  const packetType = isTimed && ptsMs === dtsMs ? CODED_FRAMES_X : CODED_FRAMES
  return { ...track, packetType, frameType: key ? 1 : 2, compositionTimeMs: ptsMs - dtsMs, data }
}
