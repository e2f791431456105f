import { randomInt } from 'node:crypto'
import { LimitError } from '../../media/errors.ts'
import type { LocalTransport } from '../transport.ts'
import { formatParameters } from './answered-format.ts'
import type { AnswerSection } from './negotiation.ts'
import { attributeOf } from './session-description.ts'
import { transportLines } from './transport-lines.ts'

/** Ten times what browsers are answered. */
const MAX_CHARS = 131_072

/** What an answer says beside what was negotiated. */
export interface AnswerOptions {
  /** Of each m-line with video that is received, bits per second. */
  readonly maxBitrateBps?: number
}

/** The answer to an offer (RFC 8829 §5.3), with CRLF. @throws LimitError for one out of all proportion */
export function writeAnswer(
  sections: readonly AnswerSection[],
  local: LocalTransport,
  options: AnswerOptions = {},
): string {
  const accepted = sections.filter(({ direction }) => direction !== 'rejected')
  const lines = [
    'v=0',
    `o=- ${randomInt(2 ** 47)} 1 IN IP4 0.0.0.0`, // RFC 8829 §5.2.1
    's=-',
    't=0 0',
    ...(accepted.some(({ mid }) => mid !== '') ? [`a=group:BUNDLE ${accepted.map(({ mid }) => mid).join(' ')}`] : []),
    'a=extmap-allow-mixed', // RFC 8285 §6: both forms are read
    'a=msid-semantic:WMS *',
  ]
  for (const section of sections) lines.push(...mediaLines(section, local, section === accepted[0], options))
  const answer = `${lines.join('\r\n')}\r\n`
  if (answer.length > MAX_CHARS)
    throw new LimitError('characters of an answer', { limit: MAX_CHARS, asked: answer.length })
  return answer
}

function mediaLines(
  section: AnswerSection,
  local: LocalTransport,
  withCandidates: boolean,
  options: AnswerOptions,
): string[] {
  const { offered, direction, mid, formats, rids } = section
  const midLine = mid === '' ? [] : [`a=mid:${mid}`]
  if (direction === 'rejected') {
    const mLine = `m=${offered.media} 0 ${offered.protocol} ${offered.formats.join(' ')}`
    return [mLine, 'c=IN IP4 0.0.0.0', 'a=inactive', ...midLine]
  }
  const isIncomingVideo = direction === 'recvonly' && offered.media === 'video'
  const maxBitrateBps = isIncomingVideo ? options.maxBitrateBps : undefined
  const payloadTypes = formats.flatMap(({ payloadType, rtxPayloadType }) =>
    rtxPayloadType === undefined ? [payloadType] : [payloadType, rtxPayloadType],
  )
  return [
    `m=${offered.media} 9 ${offered.protocol} ${payloadTypes.join(' ')}`,
    'c=IN IP4 0.0.0.0',
    ...(maxBitrateBps === undefined ? [] : bandwidthLines(maxBitrateBps)),
    ...transportLines(local, withCandidates),
    ...midLine,
    ...section.extensions.map(({ line }) => line),
    `a=${direction}`,
    'a=rtcp-mux',
    ...(attributeOf(offered, 'rtcp-rsize') === undefined ? [] : ['a=rtcp-rsize']),
    ...(attributeOf(offered, 'rtcp-xr')?.includes('rcvr-rtt=all') ? ['a=rtcp-xr:rcvr-rtt=all'] : []), // RFC 3611 §5.1
    ...formats.flatMap((format) => formatLines(format, maxBitrateBps)),
    ...rids.map((rid) => `a=rid:${rid} recv`),
    ...(rids.length === 0 ? [] : [`a=simulcast:recv ${rids.join(';')}`]),
    ...section.streamLines,
  ]
}

/** RFC 8866 §5.8, RFC 3890 §6.2. */
function bandwidthLines(maxBitrateBps: number): string[] {
  return [`b=AS:${Math.ceil(maxBitrateBps / 1000)}`, `b=TIAS:${maxBitrateBps}`]
}

function formatLines(format: AnswerSection['formats'][number], maxBitrateBps: number | undefined): string[] {
  const { payloadType, rtxPayloadType, clockRateHz, channels } = format
  const parameters = formatParameters(format, maxBitrateBps)
  return [
    `a=rtpmap:${payloadType} ${format.name}/${clockRateHz}${channels > 1 ? `/${channels}` : ''}`,
    ...[...format.feedback].map((feedback) => `a=rtcp-fb:${payloadType} ${feedback}`),
    ...(parameters === '' ? [] : [`a=fmtp:${payloadType} ${parameters}`]),
    ...(rtxPayloadType === undefined
      ? []
      : [`a=rtpmap:${rtxPayloadType} rtx/${clockRateHz}`, `a=fmtp:${rtxPayloadType} apt=${payloadType}`]),
  ]
}
