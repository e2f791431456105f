import { MalformedError, UnsupportedError } from '../../media/errors.ts'
import {
  attributeOf,
  attributesOf,
  type MediaDescription,
  malformedLine,
  type SessionDescription,
} from './session-description.ts'

/** Two bytes of header extension hold 255, and browsers take 16. */
const MAX_MID_CHARS = 64

/** The m-lines that share one transport, and the one that says how it is reached. */
export interface Bundle {
  readonly members: ReadonlySet<MediaDescription>
  readonly tagged: MediaDescription
}

/**
 * The first group of m-lines that are sent together (RFC 9143 §7); without one the first m-line alone.
 * @throws MalformedError, UnsupportedError
 */
export function bundleOf(description: SessionDescription): Bundle {
  const mids = new Set<string>()
  for (const media of description.media) {
    const mid = midOf(media)
    if (mid === '') continue
    if (mid.length > MAX_MID_CHARS) throw malformedLine(media.line, `a=mid of more than ${MAX_MID_CHARS} characters`)
    if (mids.has(mid)) throw malformedLine(media.line, `a=mid:${mid} for the second time`)
    mids.add(mid)
  }
  const group = attributesOf(description, 'group').find(({ value }) => /^BUNDLE(?: |$)/.test(value))
  const listed = group?.value.split(/\s+/).slice(1) ?? []
  const grouped = listed.flatMap((mid) => description.media.find((media) => midOf(media) === mid) ?? [])
  const members = (group === undefined ? description.media.slice(0, 1) : grouped).filter((media) => isOffered(media))
  if (members.length === 0) throw new MalformedError('session description', 'no m-line is offered')
  for (const media of members) {
    if (
      isRtp(media) &&
      attributeOf(media, 'rtcp-mux') === undefined &&
      attributeOf(media, 'rtcp-mux-only') === undefined
    )
      throw new UnsupportedError(`m-line ${midOf(media)}: RTP and RTCP must share a port (a=rtcp-mux)`)
  }
  return { members: new Set(members), tagged: members[0] }
}

/** Identification of an m-line (RFC 5888 §4); empty when it has none. */
export function midOf(media: MediaDescription): string {
  return attributeOf(media, 'mid') ?? ''
}

/** Whether it is RTP over DTLS with feedback. */
export function isRtp(media: MediaDescription): boolean {
  return /^(?:UDP|TCP)\/TLS\/RTP\/SAVPF$|^RTP\/SAVPF$/.test(media.protocol)
}

/** Port 0 means that it is not, but for members of a bundle without a port of their own (RFC 9143 §6). */
export function isOffered(media: MediaDescription): boolean {
  return media.port !== 0 || attributeOf(media, 'bundle-only') !== undefined
}
