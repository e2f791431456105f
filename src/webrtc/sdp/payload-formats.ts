import { attributesOf, type MediaDescription, malformedLine } from './session-description.ts'

/** One payload type of an m-line: `a=rtpmap`, `a=fmtp` and `a=rtcp-fb` together. */
export interface PayloadFormat {
  readonly payloadType: number
  /** As offered: some peers tell `OPUS` from `opus`. */
  readonly name: string
  /** The name in lower case: `h264`, `opus`, `rtx`. */
  readonly encoding: string
  readonly clockRateHz: number
  readonly channels: number
  /** `a=fmtp`; names are lower case. */
  readonly parameters: ReadonlyMap<string, string>
  /** `nack`, `nack pli`, `transport-cc`, …, also those that are stated for every payload type by `*`. */
  readonly feedback: ReadonlySet<string>
}

/** What needs no `a=rtpmap` (RFC 3551 §6). */
const STATIC_FORMATS: ReadonlyMap<number, string> = new Map([
  [0, 'PCMU/8000'],
  [8, 'PCMA/8000'],
  [10, 'L16/44100/2'],
  [11, 'L16/44100'],
])
/** For RTCP and RTP to be told apart (RFC 5761 §4). */
const RTCP_CLASH = { first: 64, last: 95 }
const MAX_PARAMETERS = 64
const MAX_FEEDBACK = 32

/**
 * The payload types of an m-line in the order of preference that it states. One without a name is passed over.
 * @throws MalformedError
 */
export function payloadFormats(media: MediaDescription): PayloadFormat[] {
  const maps = byPayloadType(media, 'rtpmap')
  const parameters = byPayloadType(media, 'fmtp')
  const feedback = attributesOf(media, 'rtcp-fb')
  const found: PayloadFormat[] = []
  for (const format of media.formats) {
    const payloadType = payloadTypeOf(format)
    if (payloadType === undefined) throw malformedLine(media.line, `no payload type: ${format.slice(0, 20)}`)
    if (payloadType >= RTCP_CLASH.first && payloadType <= RTCP_CLASH.last) continue
    if (found.some((other) => other.payloadType === payloadType)) continue
    const map = maps.get(payloadType)
    const text = map?.value ?? STATIC_FORMATS.get(payloadType)
    if (text === undefined) continue
    const [name, rate, channels = '1'] = text.split('/')
    const clockRateHz = Number(rate)
    if (!(Number.isInteger(clockRateHz) && clockRateHz > 0 && clockRateHz <= 1_000_000))
      throw malformedLine(map?.line ?? media.line, `no clock rate in ${text.slice(0, 40)}`)
    const own = feedback.filter(({ value }) => value.startsWith('* ') || value.startsWith(`${format} `))
    found.push({
      payloadType,
      name,
      encoding: name.toLowerCase(),
      clockRateHz,
      channels: /^[1-8]$/.test(channels) ? Number(channels) : 1,
      parameters: formatParameters(parameters.get(payloadType)?.value ?? ''),
      feedback: new Set(own.slice(0, MAX_FEEDBACK).map(({ value }) => value.slice(value.indexOf(' ') + 1).trim())),
    })
  }
  return found
}

/** 0 to 127; undefined for anything else. */
export function payloadTypeOf(text: string): number | undefined {
  return /^\d{1,3}$/.test(text) && Number(text) < 128 ? Number(text) : undefined
}

/** `key=value;key=value`; what has no `=` is a key with an empty value. */
function formatParameters(text: string): Map<string, string> {
  const parameters = new Map<string, string>()
  for (const part of text.split(';', MAX_PARAMETERS)) {
    const equals = part.indexOf('=')
    const name = (equals < 0 ? part : part.slice(0, equals)).trim().toLowerCase()
    if (name !== '') parameters.set(name, equals < 0 ? '' : part.slice(equals + 1).trim())
  }
  return parameters
}

/** The first attribute of that name of each payload type, without the payload type. */
function byPayloadType(media: MediaDescription, name: string): Map<number, { value: string; line: number }> {
  const found = new Map<number, { value: string; line: number }>()
  for (const { value, line } of attributesOf(media, name)) {
    const space = value.indexOf(' ')
    const payloadType = payloadTypeOf(space < 0 ? value : value.slice(0, space))
    if (payloadType === undefined) throw malformedLine(line, `a=${name} without a payload type`)
    if (!found.has(payloadType)) found.set(payloadType, { value: value.slice(space + 1).trim(), line })
  }
  return found
}
