import { BandwidthFeedback } from '../rtp/bandwidth-feedback.ts'
import type { RtcpOutbox } from '../rtp/rtcp-outbox.ts'
import type { PublishNegotiation } from './sdp/publish-offer.ts'

/** For sound, beside the video's maximum: Opus's own, bits per second. */
const AUDIO_BITRATE_BPS = 510_000

/** What a publisher is told of the network, by what was negotiated. `maxBitrateBps` is of each m-line with video. */
export function publishFeedback(
  { media, extensions }: PublishNegotiation,
  maxBitrateBps: number,
  outbox: RtcpOutbox,
): BandwidthFeedback {
  const has = (feedback: string) => media.some(({ formats }) => formats.some((format) => format.feedback.has(feedback)))
  const videos = media.filter(({ kind }) => kind === 'video').length
  return new BandwidthFeedback({
    outbox,
    transportCc: extensions.transportCc !== undefined && has('transport-cc'),
    remb: has('goog-remb'),
    maxBitrateBps: videos * maxBitrateBps + (media.length - videos) * AUDIO_BITRATE_BPS,
  })
}
