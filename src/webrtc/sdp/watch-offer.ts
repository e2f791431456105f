import { UnsupportedError } from '../../media/errors.ts'
import type { AudioCodec, VideoCodec } from '../../media/track.ts'
import type { RemoteTransport } from '../transport.ts'
import { bundleOf, isRtp, midOf } from './bundle.ts'
import { type ChosenFormat, chooseFormats } from './codec-choice.ts'
import { answerExtensions, type ExtensionIds, type HeaderExtension } from './header-extensions.ts'
import { type AnswerSection, directionOf, type IncomingMedia, rejected } from './negotiation.ts'
import { payloadFormats } from './payload-formats.ts'
import { type MediaDescription, parseSessionDescription } from './session-description.ts'
import { remoteTransport } from './transport-lines.ts'

/** One m-line of a publisher that can be forwarded. */
export interface OutgoingMedia {
  readonly media: IncomingMedia
  /** What it sends now; undefined before the first packet. */
  readonly format: ChosenFormat | undefined
  /** Under which it is sent to the watcher. */
  readonly ssrc: number
  readonly rtxSsrc: number
}

/** One m-line on which a watcher gets something. */
export interface AcceptedMedia {
  readonly outgoing: OutgoingMedia
  readonly mid: string
  readonly extensions: ExtensionIds
  /** Payload types of the publisher → of the watcher. */
  readonly payloadTypes: ReadonlyMap<number, number>
  /** Payload types of the watcher → of its retransmissions; empty when it takes none. */
  readonly rtxPayloadTypes: ReadonlyMap<number, number>
}

/** What is taken of an offer to receive. */
export interface WatchNegotiation {
  readonly remote: RemoteTransport
  readonly sections: readonly AnswerSection[]
  readonly accepted: readonly AcceptedMedia[]
}

const VIDEO_CODECS: readonly VideoCodec[] = ['h264', 'hevc', 'av1', 'vp9', 'vp8']
const AUDIO_CODECS: readonly AudioCodec[] = ['opus', 'pcm-alaw', 'pcm-mulaw', 'pcm-s16le']
const EXTENSIONS: readonly HeaderExtension[] = ['mid', 'audioLevel', 'dependencyDescriptor']

/**
 * Decides which m-line of the offer gets which of the publisher's media: the first video the first, and so on.
 * @throws MalformedError for an offer that cannot be read
 * @throws UnsupportedError when the watcher can take nothing of what is sent
 */
export function negotiateWatch(offer: string, sent: readonly OutgoingMedia[]): WatchNegotiation {
  const description = parseSessionDescription(offer)
  const bundle = bundleOf(description)
  const left = [...sent]
  const taken: Partial<Record<HeaderExtension, number>> = {}
  const sections: AnswerSection[] = []
  const accepted: AcceptedMedia[] = []
  for (const offered of description.media) {
    const next = left.find(({ media }) => media.kind === offered.media)
    const match = bundle.members.has(offered) && isRtp(offered) ? matchFormats(offered, next) : undefined
    if (match === undefined || next === undefined || !wantsMedia(offered)) {
      sections.push(bundle.members.has(offered) && isRtp(offered) ? unused(offered) : rejected(offered, midOf(offered)))
      continue
    }
    left.splice(left.indexOf(next), 1)
    const section = sendingSection(offered, next, match, taken)
    for (const { name, id } of section.extensions) taken[name] = id
    sections.push(section)
    accepted.push(acceptedMedia(next, section, match))
  }
  if (accepted.length === 0) {
    const codecs = sent.map(({ media, format }) => format?.codec ?? media.formats[0].codec)
    throw new UnsupportedError(`the watcher can take nothing of what is sent: ${codecs.join(', ') || 'nothing'}`)
  }
  return { remote: remoteTransport(description, bundle.tagged), sections, accepted }
}

function wantsMedia(offered: MediaDescription): boolean {
  return directionOf(offered) === 'recvonly' || directionOf(offered) === 'sendrecv'
}

/** Nothing is sent on it, but it stays in the bundle. */
function unused(offered: MediaDescription): AnswerSection {
  const formats = chooseFormats(payloadFormats(offered), [...VIDEO_CODECS, ...AUDIO_CODECS])
  if (formats.length === 0) return rejected(offered, midOf(offered))
  return { offered, direction: 'inactive', mid: midOf(offered), formats, extensions: [], rids: [], streamLines: [] }
}

/** Pairs of publisher's and watcher's formats; undefined when there are none, or none of what is sent now. */
function matchFormats(
  offered: MediaDescription,
  next: OutgoingMedia | undefined,
): [ChosenFormat, ChosenFormat][] | undefined {
  if (next === undefined) return undefined
  const theirs = chooseFormats(payloadFormats(offered), [...VIDEO_CODECS, ...AUDIO_CODECS])
  const current = next.format?.codec ?? next.media.formats[0].codec
  const pairs = next.media.formats
    .filter(({ codec }) => codec === current)
    .flatMap((ours): [ChosenFormat, ChosenFormat][] => {
      const fit = theirs.find((format) => isSame(ours, format)) ?? theirs.find((format) => canTake(ours, format))
      return fit === undefined ? [] : [[ours, fit]]
    })
  return pairs.length === 0 ? undefined : pairs
}

/** H.264 of the same profile, too. */
function isSame(ours: ChosenFormat, theirs: ChosenFormat): boolean {
  const profile = ({ parameters }: ChosenFormat) => parameters.get('profile-level-id')?.slice(0, 4).toLowerCase()
  const mode = ({ parameters }: ChosenFormat) => parameters.get('packetization-mode')
  return canTake(ours, theirs) && profile(ours) === profile(theirs) && mode(ours) === mode(theirs)
}

/** H.264 decoders read every profile that browsers send; what mode 1 packs, mode 0 cannot unpack (RFC 6184 §5.4). */
function canTake(ours: ChosenFormat, theirs: ChosenFormat): boolean {
  if (ours.codec !== theirs.codec || ours.clockRateHz !== theirs.clockRateHz) return false
  const same = (name: string) => (ours.parameters.get(name) ?? '0') === (theirs.parameters.get(name) ?? '0')
  switch (ours.codec) {
    case 'h264':
      return theirs.parameters.get('packetization-mode') === '1' || same('packetization-mode')
    case 'vp9':
      return same('profile-id')
    case 'av1':
      return same('profile')
    case 'opus':
    case 'vp8':
    case 'hevc':
      return true
    default:
      return ours.channels === theirs.channels
  }
}

function sendingSection(
  offered: MediaDescription,
  { ssrc, rtxSsrc, media }: OutgoingMedia,
  match: readonly [ChosenFormat, ChosenFormat][],
  taken: ExtensionIds,
): AnswerSection {
  const formats = [...new Set(match.map(([, theirs]) => theirs))]
  const rtx = formats.some(({ rtxPayloadType }) => rtxPayloadType !== undefined)
  const streamLines = [
    `a=msid:tapedeck ${media.kind}-${ssrc}`,
    ...(rtx ? [`a=ssrc-group:FID ${ssrc} ${rtxSsrc}`] : []),
    `a=ssrc:${ssrc} cname:tapedeck`,
    ...(rtx ? [`a=ssrc:${rtxSsrc} cname:tapedeck`] : []),
  ]
  const extensions = answerExtensions(offered, EXTENSIONS, taken).filter(({ id }) => id <= 14) // what one byte can hold
  return { offered, direction: 'sendonly', mid: midOf(offered), formats, extensions, rids: [], streamLines }
}

function acceptedMedia(
  outgoing: OutgoingMedia,
  section: AnswerSection,
  match: readonly [ChosenFormat, ChosenFormat][],
): AcceptedMedia {
  const rtxPayloadTypes = new Map<number, number>()
  for (const { payloadType, rtxPayloadType } of section.formats)
    if (rtxPayloadType !== undefined) rtxPayloadTypes.set(payloadType, rtxPayloadType)
  return {
    outgoing,
    mid: section.mid,
    extensions: Object.fromEntries(section.extensions.map(({ name, id }) => [name, id])),
    payloadTypes: new Map(match.map(([ours, theirs]) => [ours.payloadType, theirs.payloadType])),
    rtxPayloadTypes,
  }
}
