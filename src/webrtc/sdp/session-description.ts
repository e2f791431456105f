import { MalformedError } from '../../media/errors.ts'

/** Browsers' offers of a dozen m-lines are some 40 KB. */
const MAX_CHARS = 131_072
const MAX_LINE_CHARS = 4096
const MAX_LINES = 6000
const MAX_MEDIA = 64
/** Payload types are 7 bit. */
const MAX_FORMATS = 128

/** One `a=` line. */
export interface SdpAttribute {
  readonly name: string
  /** Behind the colon; empty for a property without value. */
  readonly value: string
  /** From 1. */
  readonly line: number
}

/** One `m=` line and what belongs to it (RFC 8866 §5.14). */
export interface MediaDescription {
  /** `audio`, `video`, `application`, … */
  readonly media: string
  readonly port: number
  readonly protocol: string
  /** Payload types of RTP, as written. */
  readonly formats: readonly string[]
  /** Of `i=`. */
  readonly title: string | undefined
  readonly attributes: readonly SdpAttribute[]
  readonly line: number
}

/** What of a session description matters to WebRTC: attributes and m-lines. */
export interface SessionDescription {
  readonly attributes: readonly SdpAttribute[]
  readonly media: readonly MediaDescription[]
}

/** An error about one line. */
export function malformedLine(line: number, what: string): MalformedError {
  return new MalformedError('session description', `line ${line}: ${what}`)
}

/** The value of the first attribute of that name. */
export function attributeOf(level: { readonly attributes: readonly SdpAttribute[] }, name: string): string | undefined {
  return level.attributes.find((attribute) => attribute.name === name)?.value
}

/** All attributes of that name, in order. */
export function attributesOf(level: { readonly attributes: readonly SdpAttribute[] }, name: string): SdpAttribute[] {
  return level.attributes.filter((attribute) => attribute.name === name)
}

/** A media description while it is read. */
interface OpenMedia extends MediaDescription {
  title: string | undefined
  readonly attributes: SdpAttribute[]
}

/**
 * Reads a session description (RFC 8866 §9), as leniently as browsers do: lines may end in LF alone, their order below `m=`
 * does not matter, and types that WebRTC has no use for are passed over.
 * @throws MalformedError with the number of the line
 */
export function parseSessionDescription(text: string): SessionDescription {
  if (text.length > MAX_CHARS) throw new MalformedError('session description', `longer than ${MAX_CHARS} characters`)
  const attributes: SdpAttribute[] = []
  const media: OpenMedia[] = []
  const lines = text.split('\n', MAX_LINES + 1)
  if (lines.length > MAX_LINES) throw malformedLine(MAX_LINES, 'too many lines')
  for (let index = 0; index < lines.length; index++) {
    const number = index + 1
    const line = lines[index].endsWith('\r') ? lines[index].slice(0, -1) : lines[index]
    if (line === '') continue
    if (line.length > MAX_LINE_CHARS) throw malformedLine(number, `longer than ${MAX_LINE_CHARS} characters`)
    if (line[1] !== '=') throw malformedLine(number, 'not of the form type=value')
    if (hasControlCharacter(line)) throw malformedLine(number, 'control characters')
    if (index === 0 && line !== 'v=0') throw malformedLine(number, 'does not begin with v=0')
    const open = media.at(-1)
    const value = line.slice(2)
    if (line[0] === 'm') media.push(mediaLine(value, number))
    else if (line[0] === 'a') (open?.attributes ?? attributes).push(attributeLine(value, number))
    else if (line[0] === 'i' && open !== undefined) open.title = value
    if (media.length > MAX_MEDIA) throw malformedLine(number, `more than ${MAX_MEDIA} m-lines`)
  }
  if (lines[0] === '' || media.length === 0) throw new MalformedError('session description', 'no m-line')
  return { attributes, media }
}

function hasControlCharacter(line: string): boolean {
  for (let at = 0; at < line.length; at++) {
    const code = line.charCodeAt(at)
    if ((code < 0x20 && code !== 0x09) || code === 0x7f) return true
  }
  return false
}

function attributeLine(value: string, line: number): SdpAttribute {
  const colon = value.indexOf(':')
  if (colon < 0) return { name: value, value: '', line }
  return { name: value.slice(0, colon), value: value.slice(colon + 1).trim(), line }
}

function mediaLine(value: string, line: number): OpenMedia {
  const [media, portText, protocol, ...formats] = value.split(' ').filter((field) => field !== '')
  const port = /^(\d{1,5})(?:\/\d+)?$/.exec(portText ?? '')?.[1]
  if (port === undefined || Number(port) > 0xffff) throw malformedLine(line, 'm-line without a port')
  if (protocol === undefined || formats.length === 0) throw malformedLine(line, 'm-line without protocol and formats')
  if (formats.length > MAX_FORMATS) throw malformedLine(line, `more than ${MAX_FORMATS} formats`)
  return { media, port: Number(port), protocol, formats, title: undefined, attributes: [], line }
}
