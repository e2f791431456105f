import type { AmfValue } from '../../container/flv/amf-value.ts'
import { writeAmf0Data } from '../../container/flv/amf0-writer.ts'
import type { LiveStream } from '../../live/stream.ts'
import type { Track } from '../../media/track.ts'
import type { BatchWriter, TrackIdOf } from './batch.ts'

/** Members of a file's metadata that say nothing of a live stream, or the wrong thing. */
const NOT_LIVE: ReadonlySet<string> = new Set(['duration', 'filesize', 'fileSize'])

/** Writes what a player needs before its first frame: onMetaData, then the sequence headers of all tracks. */
export function writeSetup(writer: BatchWriter, stream: LiveStream, trackIdOf: TrackIdOf, timestampMs: number): void {
  writer.data(timestampMs, metadataPayload(stream))
  for (const track of stream.tracks) {
    const trackId = trackIdOf(track)
    if (trackId >= 0) writer.sequenceHeader(track, trackId, timestampMs)
  }
}

/** What the encoder said of itself, under what the bitstream says of sizes and rates. */
function metadataPayload(stream: LiveStream): Uint8Array {
  const members: { [key: string]: AmfValue } = {}
  for (const [key, value] of Object.entries(stream.metadata)) {
    if (NOT_LIVE.has(key)) continue
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') members[key] = value
  }
  const { tracks } = stream
  const first = (kind: Track['kind']) => tracks.find((track) => track.kind === kind)
  const video = first('video')
  if (video?.kind === 'video') {
    members.width = video.width
    members.height = video.height
    if (video.frameRate !== undefined) members.framerate = video.frameRate
  }
  const audio = first('audio')
  if (audio?.kind === 'audio') {
    members.audiosamplerate = audio.sampleRateHz
    members.stereo = audio.channels === 2
  }
  return writeAmf0Data('onMetaData', members)
}
