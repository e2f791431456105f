/// <reference lib="dom" />
import { addressOf, type ConnectionOptions } from './connection-options.ts'
import { PeerSession } from './peer-session.ts'

/** What a participant sends, each at most once. */
export const SOURCES = ['microphone', 'camera', 'screen'] as const
/** One of `SOURCES`. */
export type Source = (typeof SOURCES)[number]
/** The track of each source; null for none now. */
export type Tracks = Record<Source, MediaStreamTrack | null>

/** How pictures are sent. */
export interface EncodingOptions {
  /** The camera in layers of 1, 1/2 and 1/4 of its size. */
  readonly simulcast: boolean
  readonly videoBitsPerSecond: number | undefined
}

/** One WHIP session with a place for each source from the start: tracks come and go without another offer. */
export class WhipPublication {
  readonly session: PeerSession
  readonly #options: ConnectionOptions
  readonly #places: Record<Source, RTCRtpTransceiver>

  constructor(options: ConnectionOptions, tracks: Tracks, encoding: EncodingOptions) {
    this.#options = options
    this.session = new PeerSession(options)
    const place = (source: Source, sendEncodings?: RTCRtpEncodingParameters[]) =>
      this.session.peer.addTransceiver(tracks[source] ?? (source === 'microphone' ? 'audio' : 'video'), {
        direction: 'sendonly',
        ...(sendEncodings === undefined ? {} : { sendEncodings }),
      })
    this.#places = {
      // in the order of SOURCES
      microphone: place('microphone'),
      camera: place('camera', cameraEncodings(encoding)),
      screen: place('screen'),
    }
  }

  /** @throws RefusalError, and what `fetch` throws */
  connect(): Promise<void> {
    return this.session.connect((mids) => this.#endpoint(mids))
  }

  async replaceTrack(source: Source, track: MediaStreamTrack | null): Promise<void> {
    await this.#places[source].sender.replaceTrack(track)
  }

  close(): void {
    this.session.close()
  }

  #endpoint(mids: readonly string[]): URL {
    const { room, participant } = this.#options
    const url = addressOf(this.#options, 'whip', room, participant)
    url.searchParams.set('labels', mids.map((mid, i) => `${mid}:${SOURCES[i]}`).join(','))
    return url
  }
}

function cameraEncodings({ simulcast, videoBitsPerSecond }: EncodingOptions): RTCRtpEncodingParameters[] {
  const bound = (share: number) =>
    videoBitsPerSecond === undefined ? {} : { maxBitrate: Math.round(videoBitsPerSecond * share) }
  if (!simulcast) return [bound(1)]
  return [
    { rid: 'q', scaleResolutionDownBy: 4, ...bound(1 / 12) },
    { rid: 'h', scaleResolutionDownBy: 2, ...bound(1 / 4) },
    { rid: 'f', ...bound(1) },
  ]
}
