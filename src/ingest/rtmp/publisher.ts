import type { AmfValue } from '../../container/flv/amf-value.ts'
import type { LiveStream } from '../../live/stream.ts'
import type { Block } from '../../media/block.ts'
import { LimitError, TapedeckError } from '../../media/errors.ts'
import type { Logger } from '../../media/ports.ts'
import type { PublishEnd, RtmpPeer, RtmpPublishSink } from '../../rtmp/handlers.ts'
import { RtmpDemuxer } from './demuxer.ts'
import { PublisherHold } from './hold.ts'
import { encoderMetadata } from './metadata.ts'

/** Messages in a row that cannot be read before the publisher is disconnected. */
const MAX_MALFORMED_IN_ROW = 100
/** Between two log lines about unreadable messages of one publisher, milliseconds. */
const LOG_INTERVAL_MS = 10_000
/** Tracks of one publisher where nothing else is said. */
const DEFAULT_MAX_TRACKS = 16

/** What came in by one publisher and was not kept. */
export interface PublisherLosses {
  /** Messages that could not be read. */
  readonly malformed: number
  /** Packets that are no media, or of a track that is not kept. */
  readonly ignored: number
}

/**
 * One RTMP publisher, live: its messages become tracks and frames of `stream`, until it ends. A message that cannot be read
 * is counted and passed over; a hundred in a row end the connection.
 */
export class RtmpPublisher implements RtmpPublishSink {
  readonly stream: LiveStream
  readonly #peer: RtmpPeer
  readonly #logger: Logger
  readonly #demuxer: RtmpDemuxer
  readonly #hold = new PublisherHold()
  #ended = false
  #malformed = 0
  #malformedInRow = 0
  #loggedAtMs = Number.NEGATIVE_INFINITY

  constructor(stream: LiveStream, peer: RtmpPeer, logger: Logger, maxTracks = DEFAULT_MAX_TRACKS) {
    this.stream = stream
    this.#peer = peer
    this.#logger = logger
    this.#demuxer = new RtmpDemuxer(stream, {
      maxTracks,
      onRefused: (kind, trackId, problem) => {
        logger.warn({ ...stream.address, peer: peer.address, kind, trackId, problem }, 'a track is not kept')
      },
    })
  }

  get losses(): PublisherLosses {
    return { malformed: this.#malformed, ignored: this.#demuxer.ignored }
  }

  /** A recording is behind and this publisher can wait for it. */
  get held(): boolean {
    const { stream } = this
    return stream.ended === undefined && this.#hold.held(stream.recordingBehind, this.live, performance.now())
  }

  /** Somebody watches: media is to go through at once. */
  get live(): boolean {
    return this.stream.playerCount > 0
  }

  media(type: 8 | 9, timestampMs: number, payload: Uint8Array, block: Block): void {
    if (this.stream.ended !== undefined) return
    this.#hold.advance(timestampMs)
    try {
      this.#demuxer.media(type, timestampMs, payload, block)
      this.#malformedInRow = 0
    } catch (error) {
      if (!(error instanceof TapedeckError)) throw error
      this.#passOver(error)
    }
  }

  data(_timestampMs: number, values: readonly AmfValue[]): void {
    const metadata = encoderMetadata(values)
    if (metadata !== undefined) this.stream.metadata = metadata
  }

  flush(): void {
    this.stream.flush()
  }

  end(reason: PublishEnd): void {
    if (this.#ended) return
    this.#ended = true
    this.stream.end(reason)
    const { address, stats } = this.stream
    const { bytes, videoFrames, audioFrames } = stats.snapshot()
    const facts = {
      ...address,
      peer: this.#peer.address,
      reason: this.stream.ended,
      bytes,
      videoFrames,
      audioFrames,
      ...this.losses,
    }
    this.#logger.info(facts, 'publishing ended')
  }

  /** @throws LimitError when this was one too many in a row, which closes the connection */
  #passOver(error: TapedeckError): void {
    this.#malformed++
    this.#malformedInRow++
    const nowMs = performance.now()
    if (nowMs - this.#loggedAtMs >= LOG_INTERVAL_MS) {
      this.#loggedAtMs = nowMs
      const facts = { ...this.stream.address, peer: this.#peer.address, err: error, malformed: this.#malformed }
      this.#logger.warn(facts, 'a message could not be read and is passed over')
    }
    if (this.#malformedInRow < MAX_MALFORMED_IN_ROW) return
    this.end('kicked')
    this.#peer.disconnect()
    throw new LimitError('unreadable messages in a row', { limit: MAX_MALFORMED_IN_ROW })
  }
}
