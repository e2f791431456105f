import type { AudioCodec, VideoCodec } from '../../media/track.ts'
import type { PayloadFormat } from './payload-formats.ts'

/** A payload type that is taken, and what it carries. */
export interface ChosenFormat extends PayloadFormat {
  readonly codec: VideoCodec | AudioCodec
  /** What is agreed upon. */
  readonly feedback: ReadonlySet<string>
  /** Of its retransmissions (RFC 4588 §8.1). */
  readonly rtxPayloadType: number | undefined
}

/** What this side can do with feedback (RFC 4585 §4.2, RFC 5104 §7.1). */
const FEEDBACK = ['nack', 'nack pli', 'ccm fir', 'transport-cc', 'goog-remb']

const CODECS: ReadonlyMap<string, VideoCodec | AudioCodec> = new Map<string, VideoCodec | AudioCodec>([
  ['h264', 'h264'],
  ['h265', 'hevc'],
  ['av1', 'av1'],
  ['av1x', 'av1'],
  ['vp9', 'vp9'],
  ['vp8', 'vp8'],
  ['opus', 'opus'],
  ['pcma', 'pcm-alaw'],
  ['pcmu', 'pcm-mulaw'],
  ['l16', 'pcm-s16le'],
])

/** The payload types whose codec is in `wanted`, best first: by its order, then by `preference`, then as offered. */
export function chooseFormats(
  formats: readonly PayloadFormat[],
  wanted: readonly (VideoCodec | AudioCodec)[],
): ChosenFormat[] {
  const chosen: ChosenFormat[] = []
  for (const format of formats) {
    const codec = CODECS.get(format.encoding)
    if (codec === undefined || !wanted.includes(codec) || !isUsable(codec, format)) continue
    chosen.push({ ...format, codec, feedback: agreedFeedback(codec, format), rtxPayloadType: rtxOf(format, formats) })
  }
  const rank = ({ codec, parameters }: ChosenFormat) => 10 * wanted.indexOf(codec) + preference(codec, parameters)
  return chosen.sort((a, b) => rank(a) - rank(b))
}

/**
 * What is said of losses and keyframes. Lost sound is asked for again, too: libwebrtc does not offer that, and does it when the
 * answer says so; OBS does it unasked. Who does neither is found out.
 */
function agreedFeedback(codec: VideoCodec | AudioCodec, { feedback }: PayloadFormat): ReadonlySet<string> {
  const agreed = new Set(FEEDBACK.filter((one) => feedback.has(one)))
  return codec === 'opus' ? agreed.add('nack') : agreed
}

function rtxOf(format: PayloadFormat, formats: readonly PayloadFormat[]): number | undefined {
  const apt = String(format.payloadType)
  return formats.find(({ encoding, parameters }) => encoding === 'rtx' && parameters.get('apt') === apt)?.payloadType
}

/** Packetization modes 0 and 1 (RFC 6184 §6.2); VP9 in 4:2:0 (RFC 9628 §6); AV1's Main and High; HEVC in one stream (RFC 7798 §7.1). */
function isUsable(codec: VideoCodec | AudioCodec, { parameters, clockRateHz, channels }: PayloadFormat): boolean {
  switch (codec) {
    case 'h264':
      return ['0', '1'].includes(parameters.get('packetization-mode') ?? '0') && clockRateHz === 90_000
    case 'vp9':
      return ['0', '2'].includes(parameters.get('profile-id') ?? '0') && clockRateHz === 90_000
    case 'av1':
      return ['0', '1'].includes(parameters.get('profile') ?? '0') && clockRateHz === 90_000
    case 'hevc':
      return (parameters.get('tx-mode') ?? 'SRST') === 'SRST' && clockRateHz === 90_000
    case 'vp8':
      return clockRateHz === 90_000
    case 'opus':
      return clockRateHz === 48_000
    default:
      return channels <= 2
  }
}

/** Within a codec, the lower the better: packets that hold more than a NAL unit, 8 bit before 10 bit. */
function preference(codec: VideoCodec | AudioCodec, parameters: ReadonlyMap<string, string>): number {
  if (codec === 'h264') return parameters.get('packetization-mode') === '1' ? 0 : 1
  if (codec === 'vp9') return (parameters.get('profile-id') ?? '0') === '0' ? 0 : 1
  if (codec === 'av1') return (parameters.get('profile') ?? '0') === '0' ? 0 : 1
  return 0
}
