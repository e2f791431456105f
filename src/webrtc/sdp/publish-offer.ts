import { UnsupportedError } from '../../media/errors.ts'
import type { PublishRequest } from '../engine.ts'
import type { RemoteTransport } from '../transport.ts'
import { bundleOf, isOffered, isRtp, midOf } from './bundle.ts'
import { chooseFormats } from './codec-choice.ts'
import {
  type AnsweredExtension,
  answerExtensions,
  type ExtensionIds,
  type HeaderExtension,
} from './header-extensions.ts'
import { type AnswerSection, directionOf, type IncomingMedia, rejected } from './negotiation.ts'
import { payloadFormats } from './payload-formats.ts'
import { type MediaDescription, parseSessionDescription } from './session-description.ts'
import { announcedSsrcs, offeredRids } from './stream-lines.ts'
import { trackLabel } from './track-label.ts'
import { remoteTransport } from './transport-lines.ts'

/** What is taken of an offer to send. */
export interface PublishNegotiation {
  readonly remote: RemoteTransport
  /** One for each m-line of the offer, in its order. */
  readonly sections: readonly AnswerSection[]
  readonly media: readonly IncomingMedia[]
  readonly extensions: ExtensionIds
}

const VIDEO_EXTENSIONS: readonly HeaderExtension[] = [
  ...(['mid', 'rid', 'repairedRid', 'transportCc', 'absSendTime', 'absCaptureTime', 'dependencyDescriptor'] as const),
]
const AUDIO_EXTENSIONS: readonly HeaderExtension[] = [
  'mid',
  'transportCc',
  'absSendTime',
  'absCaptureTime',
  'audioLevel',
]
/** M-lines with media of one session. */
const MAX_INCOMING = 16

/**
 * Decides what of an offer is taken: what sends sound or pictures is, or nothing at all (RFC 9725 §4.4.3).
 * @throws MalformedError for an offer that cannot be read
 * @throws UnsupportedError when something that sends cannot be taken, or there is nothing in it
 */
export function negotiatePublish(
  request: Pick<PublishRequest, 'offer' | 'videoCodecs' | 'audioCodecs' | 'labels'>,
): PublishNegotiation {
  const description = parseSessionDescription(request.offer)
  const bundle = bundleOf(description)
  const extensions: Partial<Record<HeaderExtension, number>> = {}
  const sections: AnswerSection[] = []
  const media: IncomingMedia[] = []
  for (const offered of description.media) {
    const isBundled = bundle.members.has(offered)
    if (!isBundled && isOffered(offered) && isRtp(offered) && sends(offered)) throw unbundled(offered)
    const section = isBundled ? answerSection(offered, request, extensions) : undefined
    sections.push(section ?? rejected(offered, midOf(offered)))
    for (const { name, id } of section?.extensions ?? []) extensions[name] = id
    if (section?.direction !== 'recvonly') continue
    if (media.length === MAX_INCOMING)
      throw new UnsupportedError(`the offer sends on more than ${MAX_INCOMING} m-lines`)
    media.push(incoming(section, request, media))
  }
  if (media.length === 0) {
    throw nothingToTake('the offer', [...request.videoCodecs, ...request.audioCodecs])
  }
  return { remote: remoteTransport(description, bundle.tagged), sections, media, extensions }
}

function answerSection(
  offered: MediaDescription,
  request: Pick<PublishRequest, 'videoCodecs' | 'audioCodecs'>,
  taken: ExtensionIds,
): AnswerSection | undefined {
  if (!isRtp(offered) || (offered.media !== 'video' && offered.media !== 'audio')) return undefined
  const isVideo = offered.media === 'video'
  const wanted = isVideo ? request.videoCodecs : request.audioCodecs
  const formats = chooseFormats(payloadFormats(offered), wanted)
  if (formats.length === 0 && sends(offered)) throw nothingToTake(`m-line ${midOf(offered)} (${offered.media})`, wanted)
  if (formats.length === 0) return undefined
  const direction = sends(offered) ? 'recvonly' : 'inactive'
  const extensions = answerExtensions(offered, isVideo ? VIDEO_EXTENSIONS : AUDIO_EXTENSIONS, taken)
  const rids = isVideo && direction === 'recvonly' && hasRid(extensions) ? offeredRids(offered) : []
  return { offered, direction, mid: midOf(offered), formats, extensions, rids, streamLines: [] }
}

function sends(offered: MediaDescription): boolean {
  return directionOf(offered) === 'sendonly' || directionOf(offered) === 'sendrecv'
}

/** There is one transport for everything (RFC 9725 §4.4.1). */
function unbundled(offered: MediaDescription): UnsupportedError {
  const what = `m-line ${midOf(offered)} (${offered.media})`
  return new UnsupportedError(`${what} is not bundled with the others: offer all media on one transport (max-bundle)`)
}

function nothingToTake(what: string, codecs: readonly string[]): UnsupportedError {
  return new UnsupportedError(`${what} sends nothing that can be taken: wanted is one of ${codecs.join(', ')}`)
}

/** Layers can be told apart only by it. */
function hasRid(extensions: readonly AnsweredExtension[]): boolean {
  return extensions.some(({ name }) => name === 'rid')
}

function incoming(
  section: AnswerSection,
  { labels }: Pick<PublishRequest, 'labels'>,
  before: readonly IncomingMedia[],
): IncomingMedia {
  const { offered, mid, formats, rids } = section
  const kind = offered.media === 'video' ? 'video' : 'audio'
  const ids = Object.fromEntries(section.extensions.map(({ name, id }) => [name, id]))
  const label = trackLabel(offered, kind, labels[mid], before.filter((other) => other.kind === kind).length)
  return { kind, mid, label, formats, rids, ssrcs: announcedSsrcs(offered), extensions: ids }
}
