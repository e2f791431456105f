import type { AudioTrack, Track, VideoTrack } from '../../media/track.ts'
import { AMF0 } from './amf-value.ts'
import { Amf0Reader, type AmfValue } from './amf0.ts'
import { Amf0Writer } from './amf0-writer.ts'
import type { KeyframeIndex } from './file-facts.ts'
import { AUDIO_FOURCC, VIDEO_FOURCC } from './fourcc.ts'

/** What stands in `metadatacreator` of the files that we write: their onMetaData may be written again in place. */
export const METADATA_CREATOR = 'tapedeck'
/** One keyframe in the index, bytes: two AMF0 numbers. */
export const INDEX_ENTRY_BYTES = 18
/** AMF0 marker and length of a long string, bytes. */
const LONG_STRING_HEADER_BYTES = 5
const SPACE = 0x20

/** The members of an onMetaData. */
export type Metadata = { [key: string]: AmfValue }

/** A track and the id that its tags carry in FLV. */
export interface FlvTrack {
  readonly track: Track
  /** 0 for the first of its kind, which legacy readers know; more with E-RTMP multitrack. */
  readonly trackId: number
}

/** What onMetaData says of the tracks (E-RTMP v2 "Enhancing onMetaData"). */
export function describeTracks(tracks: readonly FlvTrack[]): Metadata {
  const members: Metadata = {}
  const infos: { video: Metadata; audio: Metadata } = { video: {}, audio: {} }
  for (const { track, trackId } of tracks) {
    const facts = track.kind === 'video' ? videoFacts(track, trackId) : audioFacts(track, trackId)
    if (trackId === 0) Object.assign(members, facts)
    else infos[track.kind][trackId] = facts
  }
  members.hasVideo = tracks.some(({ track }) => track.kind === 'video')
  members.hasAudio = tracks.some(({ track }) => track.kind === 'audio')
  if (Object.keys(infos.video).length > 0) members.videoTrackIdInfoMap = infos.video
  if (Object.keys(infos.audio).length > 0) members.audioTrackIdInfoMap = infos.audio
  return members
}

function videoFacts(track: VideoTrack, trackId: number): Metadata {
  const facts: Metadata = { videocodecid: track.codec === 'h264' && trackId === 0 ? 7 : VIDEO_FOURCC[track.codec] }
  if (track.width > 0 && track.height > 0) {
    facts.width = track.width
    facts.height = track.height
  }
  if (track.frameRate !== undefined) facts.framerate = track.frameRate
  return { ...facts, ...names(track) }
}

function audioFacts(track: AudioTrack, trackId: number): Metadata {
  const facts: Metadata = { audiocodecid: audioCodecId(track, trackId) }
  if (track.sampleRateHz > 0) facts.audiosamplerate = track.sampleRateHz
  if (track.channels > 0) {
    facts.audiochannels = track.channels
    facts.stereo = track.channels === 2
  }
  facts.audiosamplesize = 16
  return { ...facts, ...names(track) }
}

function audioCodecId(track: AudioTrack, trackId: number): number {
  const legacy: Readonly<Record<string, number>> = { aac: 10, mp3: 2, 'pcm-s16le': 3, 'pcm-alaw': 7, 'pcm-mulaw': 8 }
  const fourCc = AUDIO_FOURCC[track.codec] ?? 0
  return trackId === 0 ? (legacy[track.codec] ?? fourCc) : fourCc
}

function names(track: Track): Metadata {
  const label = track.label === undefined ? {} : { [`${track.kind}label`]: track.label }
  return track.language === undefined ? label : { ...label, [`${track.kind}language`]: track.language }
}

/** The body of an onMetaData tag without index and padding: what `fitMetadata` needs at least. */
export function metadataBytes(metadata: Metadata): number {
  return writeMetadata(metadata, undefined).length
}

/**
 * The body of an onMetaData tag, exactly `sizeBytes` long: the rest is one long string of spaces after the metadata, where
 * every reader passes over it. The index is thinned until it fits, or left out.
 * Undefined where even that has no room.
 */
export function fitMetadata(
  metadata: Metadata,
  index: KeyframeIndex | undefined,
  sizeBytes: number,
): Uint8Array | undefined {
  let body: Uint8Array | undefined
  if (index !== undefined) {
    body = writeMetadata(metadata, index)
    while (body.length > sizeBytes && index.length > 1) {
      index.thin()
      body = writeMetadata(metadata, index)
    }
  }
  if (body === undefined || body.length > sizeBytes) body = writeMetadata(metadata, undefined)
  return body.length > sizeBytes ? undefined : pad(body, sizeBytes)
}

function writeMetadata(metadata: Metadata, index: KeyframeIndex | undefined): Uint8Array {
  const { keyframes: _, ...members } = metadata
  const entries = Object.entries(members)
  const hasIndex = index !== undefined && index.length > 1 // ffmpeg takes an index of one for a broken one
  const writer = new Amf0Writer()
  writer.value('onMetaData')
  writer.beginEcmaArray(entries.length + (hasIndex ? 1 : 0))
  for (const [key, value] of entries) writer.member(key, value)
  if (hasIndex) writer.member('keyframes', index.toAmf())
  writer.endObject()
  return writer.bytes.done()
}

function pad(body: Uint8Array, sizeBytes: number): Uint8Array {
  const padded = new Uint8Array(sizeBytes).fill(AMF0.NULL)
  padded.set(body)
  const room = sizeBytes - body.length
  if (room < LONG_STRING_HEADER_BYTES) return padded
  const view = new DataView(padded.buffer)
  view.setUint8(body.length, AMF0.LONG_STRING)
  view.setUint32(body.length + 1, room - LONG_STRING_HEADER_BYTES)
  return padded.fill(SPACE, body.length + LONG_STRING_HEADER_BYTES)
}

/**
 * The metadata of a script tag's body; undefined when it is another script tag.
 * @throws MalformedError, LimitError as `parseAmf0Values`
 */
export function parseMetadata(body: Uint8Array): Metadata | undefined {
  const reader = new Amf0Reader(body)
  if (reader.value() !== 'onMetaData' || !reader.more) return undefined
  const metadata = reader.value()
  const isObject = typeof metadata === 'object' && metadata !== null && !Array.isArray(metadata)
  return isObject && !(metadata instanceof Date) ? metadata : undefined
}
