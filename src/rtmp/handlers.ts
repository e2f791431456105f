import type { AmfValue } from '../container/flv/amf0.ts'
import type { Block } from '../media/block.ts'

/** Whom we talk to. */
export interface RtmpPeer {
  /** Unique in this process. */
  readonly id: number
  /** `address:port` of the other end. */
  readonly address: string
  readonly secure: boolean
  /** What the peer calls itself (connect.flashVer); at most 256 characters. */
  readonly agent: string
  /** Closes the connection once what was queued is sent, at the latest after a second. Idempotent. */
  disconnect(): void
}

/** `publish` or `play` as the peer asked for it. Names are raw: whatever bytes the peer sent, decoded as UTF-8. */
export interface StreamRequest {
  readonly peer: RtmpPeer
  /** connect.app without leading or trailing slashes and without its query. */
  readonly app: string
  /** Stream name without its query. */
  readonly name: string
  /** `?a=b` of the stream name, else of app or tcUrl. */
  readonly query: URLSearchParams
  /** The peer takes E-RTMP multitrack messages (connect.capsEx, CapsExMask.Multitrack). */
  readonly multitrack?: boolean
}

/** The reason why a publisher's messages stop. `finished`: it said so (deleteStream, closeStream, FCUnpublish). */
export type PublishEnd = 'finished' | 'lost' | 'kicked' | 'shutdown'

/** Takes what one publisher sends. At most one `end`, nothing after it. A throw closes the connection. */
export interface RtmpPublishSink {
  /**
   * An audio (8) or video (9) message. `payload` lies in `block` and is lent for the call: retain the block to keep it.
   * `timestampMs` is the 32-bit timestamp of the wire, unsigned.
   */
  media(type: 8 | 9, timestampMs: number, payload: Uint8Array, block: Block): void
  /** A data message (18, or 15 unwrapped), `@setDataFrame` taken off: `['onMetaData', {…}]`. */
  data(timestampMs: number, values: readonly AmfValue[]): void
  /** What one read of the socket gave is through. */
  flush(): void
  end(reason: PublishEnd): void
  /** While true the connection is not read: TCP holds the publisher back. Asked after every batch and at every tick. */
  readonly held: boolean
  /** While true the socket is read as data comes in (at most every `liveReadMs`); otherwise gathered longer, which is cheaper. */
  readonly live: boolean
}

/** Sends to one player. */
export interface RtmpPlayOutput {
  /** The message stream that the player asked on; almost always 1. */
  readonly messageStreamId: number
  /** Chunk size that our side has announced to this peer; the same for every player of a server. */
  readonly chunkSize: number
  /** Bytes that the socket has not taken yet. */
  readonly bufferedBytes: number
  /** Sends whole chunks, made by `ChunkWriter` on any chunk stream from 4 up. The same buffer may go to many players. */
  send(chunks: Uint8Array): void
  /** An onStatus of this message stream. */
  status(code: string, description: string, level?: 'status' | 'error'): void
  disconnect(): void
}

/** What the protocol asks of a player's source. */
export interface RtmpPlaySource {
  pause(paused: boolean): void
  /** The peer left or asked to stop. Idempotent. */
  end(): void
}

/** What a server does with the streams that peers ask for. A throw refuses: the message of a TapedeckError goes to the peer. */
export interface RtmpHandlers {
  publish(request: StreamRequest): Promise<RtmpPublishSink>
  play(request: StreamRequest, output: RtmpPlayOutput): Promise<RtmpPlaySource>
}
