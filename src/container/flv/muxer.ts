import { rescale } from '../../media/clock.ts'
import { LimitError, MisuseError, UnsupportedError } from '../../media/errors.ts'
import type { Frame } from '../../media/frame.ts'
import type { ByteSink, Muxer } from '../../media/ports.ts'
import type { Track } from '../../media/track.ts'
import { audioTagHolds, writeAudioHeader } from './audio-tag.ts'
import { FileFacts, type TrackFacts } from './file-facts.ts'
import {
  describeTracks,
  type FlvTrack,
  fitMetadata,
  INDEX_ENTRY_BYTES,
  METADATA_CREATOR,
  type Metadata,
  metadataBytes,
} from './metadata.ts'
import { configPayload, MAX_BODY_HEADER_BYTES } from './sequence-header.ts'
import {
  FILE_FLAG,
  FILE_FLAGS_AT,
  fileHeader,
  MAX_BODY_BYTES,
  PREVIOUS_TAG_SIZE_BYTES,
  TAG_HEADER_BYTES,
  TAG_TYPE,
  wholeTag,
  writePreviousTagSize,
  writeTagHeader,
} from './tag-header.ts'
import { writeVideoHeader } from './video-tag.ts'

/** Keyframes that the index has room for: one every 10 s of 11 hours. */
const INDEX_ENTRIES = 4096
/** The same in a file that begins without video. */
const INDEX_ENTRIES_WITHOUT_VIDEO = 512
/** Room in onMetaData for tracks that come late and for what only the end knows, bytes. */
const METADATA_ROOM_BYTES = 4096
/** Track ids are one byte (E-RTMP v2 "Enhanced Video"). */
const MAX_TRACKS_OF_A_KIND = 256
const TIMESCALE = 1000 // §E.4.1

/** What can be said of a file when it begins. */
export interface FlvMuxerOptions {
  readonly title?: string
  /** Wall clock, ms since 1970. */
  readonly creationTimeMs?: number
}

/**
 * FLV, legacy tags where they suffice and enhanced ones elsewhere: any number of tracks, valid after every `write`.
 * Adobe FLV v10.1 Annex E, Enhanced RTMP v2.
 *
 * Duration, size and keyframe index are put into onMetaData at `finish`; room for them is reserved at the start.
 */
export class FlvMuxer implements Muxer {
  readonly #out: ByteSink
  readonly #options: FlvMuxerOptions
  readonly #tracks = new Map<number, TrackWriter>()
  #facts = new FileFacts(INDEX_ENTRIES)
  #metadataAt = 0
  #metadataBytes = 0
  #finished = false
  readonly #header = new Uint8Array(TAG_HEADER_BYTES + MAX_BODY_HEADER_BYTES)
  /** `#header` up to each length. */
  readonly #headers = Array.from(this.#header, (_, length) => this.#header.subarray(0, length + 1))
  readonly #trailer = new Uint8Array(PREVIOUS_TAG_SIZE_BYTES)

  constructor(out: ByteSink, options: FlvMuxerOptions = {}) {
    this.#out = out
    this.#options = options
  }

  /** @throws UnsupportedError for a track that FLV has no tags for */
  start(tracks: readonly Track[]): void {
    const hasVideo = tracks.some((track) => track.kind === 'video')
    const indexEntries = hasVideo ? INDEX_ENTRIES : INDEX_ENTRIES_WITHOUT_VIDEO
    this.#facts = new FileFacts(indexEntries)
    const writers = tracks.map((track) => this.#addWriter(track))
    this.#out.write(fileHeader(this.#flags()))
    const metadata = this.#metadata()
    this.#metadataBytes = metadataBytes(metadata) + indexEntries * INDEX_ENTRY_BYTES + METADATA_ROOM_BYTES
    this.#metadataAt = this.#out.position
    this.#out.write(this.#metadataTag(metadata))
    for (const writer of writers) this.#config(writer, 0)
  }

  accepts(track: Track): boolean {
    const writer = this.#tracks.get(track.id)
    if (writer !== undefined) {
      const isSame = track.codec === writer.track.codec && track.timescale === writer.track.timescale
      return isSame && holds(track, writer.trackId)
    }
    const trackId = this.#nextTrackId(track.kind)
    return trackId < MAX_TRACKS_OF_A_KIND && holds(track, trackId)
  }

  /** Its configuration is written before its next frame, with that frame's time. */
  add(track: Track): void {
    const writer = this.#tracks.get(track.id)
    if (writer === undefined) {
      this.#addWriter(track)
      this.#out.patch(FILE_FLAGS_AT, Uint8Array.of(this.#flags()))
    } else {
      if (!this.accepts(track)) throw new MisuseError(`FLV: track ${track.id} added without being accepted`)
      writer.track = track
      writer.isConfigDue = true
    }
    this.#out.patch(this.#metadataAt, this.#metadataTag(this.#metadata()))
  }

  /** @throws LimitError for a frame that no tag can hold, 16 MiB; nothing is written then */
  write(frame: Frame): void {
    const { track } = frame
    const writer = this.#tracks.get(track.id)
    if (writer === undefined || this.#finished || writer.track.epoch !== track.epoch) throw this.#misuse(track)
    const dtsMs = rescale(frame.dts, track.timescale, TIMESCALE)
    const ptsMs = rescale(frame.pts, track.timescale, TIMESCALE)
    let position = this.#out.position
    if (writer.isConfigDue) {
      this.#config(writer, dtsMs)
      if (writer.facts.frames === 0) position = this.#out.position
    }
    const size = frame.data.length
    const headerBytes =
      track.kind === 'video'
        ? writeVideoHeader(
            this.#header,
            TAG_HEADER_BYTES,
            track.codec,
            'frame',
            writer.trackId,
            frame.key,
            ptsMs - dtsMs,
          )
        : writeAudioHeader(this.#header, TAG_HEADER_BYTES, track, 'frame', writer.trackId)
    this.#tag(writer, dtsMs, headerBytes, frame)
    writer.facts.count(dtsMs, ptsMs, size)
    if (frame.key && writer.isLead) this.#facts.index.note(dtsMs, position)
  }

  /** Nothing is ever held back. */
  flush(): void {}

  /** Patches duration, size and keyframe index in. @throws what writing threw */
  async finish(): Promise<void> {
    if (this.#finished) return
    this.#finished = true
    const metadata = { ...this.#metadata(), ...this.#facts.toAmf(this.#out.position) }
    metadata.hasKeyframes = this.#facts.index.length > 1
    this.#out.patch(this.#metadataAt, this.#metadataTag(metadata))
    await this.#out.drain()
  }

  #tag(writer: TrackWriter, dtsMs: number, headerBytes: number, frame: Frame): void {
    const bodyBytes = headerBytes - TAG_HEADER_BYTES + frame.data.length
    if (bodyBytes > MAX_BODY_BYTES) {
      throw new LimitError('bytes of a frame in an FLV tag', { limit: MAX_BODY_BYTES, asked: bodyBytes })
    }
    writeTagHeader(this.#header, writer.tagType, bodyBytes, dtsMs)
    writePreviousTagSize(this.#trailer, bodyBytes)
    this.#out.write(this.#headers[headerBytes - 1])
    this.#out.write(frame.data, frame.block)
    this.#out.write(this.#trailer)
  }

  #config(writer: TrackWriter, timestampMs: number): void {
    writer.isConfigDue = false
    const { track, trackId } = writer
    const payload = configPayload(track)
    if (payload === undefined) return
    const header = new Uint8Array(MAX_BODY_HEADER_BYTES)
    const headerBytes =
      track.kind === 'video'
        ? writeVideoHeader(header, 0, track.codec, 'config', trackId, true, 0)
        : writeAudioHeader(header, 0, track, 'config', trackId)
    this.#out.write(wholeTag(writer.tagType, timestampMs, Buffer.concat([header.subarray(0, headerBytes), payload])))
  }

  #addWriter(track: Track): TrackWriter {
    const trackId = this.#nextTrackId(track.kind)
    if (trackId >= MAX_TRACKS_OF_A_KIND || !holds(track, trackId)) {
      throw new UnsupportedError(`FLV cannot hold ${describe(track)} as track ${trackId}; choose MP4 or MKV`)
    }
    const writer = new TrackWriter(track, trackId, this.#facts.addTrack(track.kind))
    this.#tracks.set(track.id, writer)
    return writer
  }

  #nextTrackId(kind: 'video' | 'audio'): number {
    let count = 0
    for (const writer of this.#tracks.values()) if (writer.track.kind === kind) count++
    return count
  }

  #flags(): number {
    let flags = 0
    for (const { track } of this.#tracks.values()) flags |= track.kind === 'video' ? FILE_FLAG.VIDEO : FILE_FLAG.AUDIO
    return flags
  }

  #metadata(): Metadata {
    const { title, creationTimeMs } = this.#options
    return {
      ...describeTracks([...this.#tracks.values()]),
      hasMetadata: true,
      metadatacreator: METADATA_CREATOR,
      ...(title === undefined ? {} : { title }),
      ...(creationTimeMs === undefined ? {} : { creationdate: new Date(creationTimeMs).toISOString() }),
    }
  }

  /** Always of the same size. Very many late tracks with long labels have no room: then only what every player needs. */
  #metadataTag(metadata: Metadata): Uint8Array {
    const { videoTrackIdInfoMap: _v, audioTrackIdInfoMap: _a, ...short } = metadata
    const body =
      fitMetadata(metadata, this.#facts.index, this.#metadataBytes) ??
      fitMetadata(short, this.#facts.index, this.#metadataBytes)
    if (body === undefined) throw new LimitError('bytes of onMetaData', { limit: this.#metadataBytes })
    return wholeTag(TAG_TYPE.SCRIPT, 0, body)
  }

  #misuse(track: Track): MisuseError {
    if (this.#finished) return new MisuseError('FLV: written after finish')
    return new MisuseError(`FLV: frame of track ${track.id} epoch ${track.epoch}, which was not announced`)
  }
}

/** One track as it is being written. */
class TrackWriter implements FlvTrack {
  track: Track
  readonly trackId: number
  readonly tagType: number
  /** The keyframes of the first video track make the index. */
  readonly isLead: boolean
  readonly facts: TrackFacts
  isConfigDue = true

  constructor(track: Track, trackId: number, facts: TrackFacts) {
    this.track = track
    this.trackId = trackId
    this.tagType = track.kind === 'video' ? TAG_TYPE.VIDEO : TAG_TYPE.AUDIO
    this.isLead = track.kind === 'video' && trackId === 0
    this.facts = facts
  }
}

function holds(track: Track, trackId: number): boolean {
  return track.kind === 'video' || audioTagHolds(track, trackId)
}

function describe(track: Track): string {
  return track.kind === 'video' ? track.codec : `${track.codec} at ${track.sampleRateHz} Hz`
}
