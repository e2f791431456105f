import { writeAudioHeader } from '../../container/flv/audio-tag.ts'
import { configPayload, MAX_BODY_HEADER_BYTES } from '../../container/flv/sequence-header.ts'
import { writeVideoHeader } from '../../container/flv/video-tag.ts'
import { toMs } from '../../media/clock.ts'
import type { Frame } from '../../media/frame.ts'
import type { Track } from '../../media/track.ts'
import { ChunkWriter, chunkedBytes } from '../../rtmp/chunk-writer.ts'
import { CHUNK_STREAM, MAX_MESSAGE_BYTES, MESSAGE } from '../../rtmp/wire.ts'

/** Memory of a batch to begin with, bytes: 120 ms of 4 Mbit/s. */
const INITIAL_BYTES = 64 * 1024
/** Memory that is worth keeping for the next batch, bytes; what one huge keyframe needed is not. */
const MAX_KEPT_BYTES = 512 * 1024

/** How chunks are laid for a group of players: what they must have in common to get the same bytes. */
export interface BatchForm {
  readonly messageStreamId: number
  readonly chunkSize: number
}

/** Which E-RTMP track a track is sent as: 0, without multitrack, for the first of its kind. */
export type TrackIdOf = (track: Track) => number

/**
 * Gathers media messages, in chunks, in one piece of memory: built once, sent to any number of sockets.
 *
 * Frames of H.264, AAC, MP3 and PCM become legacy bodies, others enhanced ones. Times are milliseconds modulo 2^32.
 */
export class BatchWriter {
  readonly #form: BatchForm
  readonly #chunks: ChunkWriter
  readonly #header = new Uint8Array(MAX_BODY_HEADER_BYTES)
  #bytes: Buffer
  /** Where the first keyframe of `leadTrackId` begins; -1 while there is none. */
  keyOffset = -1
  /** Messages that RTMP cannot carry, because they are longer than 24 bits can say. */
  oversize = 0

  constructor(form: BatchForm, capacityBytes = INITIAL_BYTES) {
    this.#form = form
    this.#chunks = new ChunkWriter(form.chunkSize)
    this.#bytes = Buffer.allocUnsafeSlow(capacityBytes)
    this.#chunks.target(this.#bytes)
  }

  get sizeBytes(): number {
    return this.#chunks.offset
  }

  /** What was gathered; dead after the next `reset(true)`. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#chunks.offset)
  }

  /** Begins the next batch: in the same memory when `reuse` says that nobody needs it any more, else in new. */
  reset(reuse: boolean): void {
    const size = this.#bytes.length
    if (size > MAX_KEPT_BYTES) this.#bytes = Buffer.allocUnsafeSlow(INITIAL_BYTES)
    else if (!reuse) this.#bytes = Buffer.allocUnsafeSlow(size)
    this.#chunks.target(this.#bytes)
    this.keyOffset = -1
  }

  /** A data message, its values in AMF0 already. */
  data(timestampMs: number, payload: Uint8Array): void {
    this.#message(CHUNK_STREAM.DATA, MESSAGE.DATA_AMF0, timestampMs, 0, payload)
  }

  /** The sequence header of `track`, if its codec has one. */
  sequenceHeader(track: Track, trackId: number, timestampMs: number): void {
    const payload = configPayload(track)
    if (payload === undefined) return
    if (track.kind === 'video') {
      const length = writeVideoHeader(this.#header, 0, track.codec, 'config', trackId, true, 0)
      this.#message(CHUNK_STREAM.VIDEO, MESSAGE.VIDEO, timestampMs, length, payload)
    } else {
      const length = writeAudioHeader(this.#header, 0, track, 'config', trackId)
      this.#message(CHUNK_STREAM.AUDIO, MESSAGE.AUDIO, timestampMs, length, payload)
    }
  }

  /** `lead`: a keyframe of this track is where players may join. */
  frame(frame: Frame, trackId: number, lead: boolean): void {
    const { track } = frame
    const dtsMs = toMs(frame.dts, track.timescale)
    if (track.kind === 'video') {
      const offsetMs = frame.pts === frame.dts ? 0 : toMs(frame.pts, track.timescale) - dtsMs
      const length = writeVideoHeader(this.#header, 0, track.codec, 'frame', trackId, frame.key, offsetMs)
      if (lead && frame.key && this.keyOffset < 0) this.keyOffset = this.#chunks.offset
      this.#message(CHUNK_STREAM.VIDEO, MESSAGE.VIDEO, dtsMs, length, frame.data)
    } else {
      const length = writeAudioHeader(this.#header, 0, track, 'frame', trackId)
      this.#message(CHUNK_STREAM.AUDIO, MESSAGE.AUDIO, dtsMs, length, frame.data)
    }
  }

  /** A message of `headerBytes` of `#header` and `payload`. */
  #message(chunkStreamId: number, type: number, timestampMs: number, headerBytes: number, payload: Uint8Array): void {
    const length = headerBytes + payload.length
    if (length > MAX_MESSAGE_BYTES) {
      this.oversize++
      return
    }
    const { messageStreamId, chunkSize } = this.#form
    this.#reserve(chunkedBytes(length, timestampMs, chunkSize))
    const chunks = this.#chunks.begin(chunkStreamId, type, timestampMs, messageStreamId, length)
    if (headerBytes > 0) chunks.put(this.#header.subarray(0, headerBytes))
    chunks.put(payload)
  }

  #reserve(sizeBytes: number): void {
    const used = this.#chunks.offset
    const needed = used + sizeBytes
    if (needed <= this.#bytes.length) return
    let capacity = this.#bytes.length
    while (capacity < needed) capacity *= 2
    const bigger = Buffer.allocUnsafeSlow(capacity)
    this.#bytes.copy(bigger, 0, 0, used)
    this.#bytes = bigger
    this.#chunks.target(bigger, used)
  }
}
