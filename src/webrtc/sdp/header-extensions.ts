import { attributesOf, type MediaDescription } from './session-description.ts'

/** Header extensions that are taken (RFC 8285 §5), by the names that the code has for them. */
const EXTENSION_URIS = {
  mid: 'urn:ietf:params:rtp-hdrext:sdes:mid', // RFC 9143 §15
  rid: 'urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id', // RFC 8852 §4.1
  repairedRid: 'urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id', // RFC 8852 §4.2
  transportCc: 'http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01',
  absSendTime: 'http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time',
  audioLevel: 'urn:ietf:params:rtp-hdrext:ssrc-audio-level', // RFC 6464 §4
  absCaptureTime: 'http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time',
  dependencyDescriptor: 'https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension',
} as const

/** A header extension that is taken. `urn:3gpp:video-orientation` is not: the sender turns its pictures itself then. */
export type HeaderExtension = keyof typeof EXTENSION_URIS
/** Local identifiers; they hold for all m-lines of a bundle (RFC 9143 §15). */
export type ExtensionIds = Readonly<Partial<Record<HeaderExtension, number>>>

/** One `a=extmap` line of an answer. */
export interface AnsweredExtension {
  readonly name: HeaderExtension
  readonly id: number
  readonly line: string
}

/** The direction that answers the other one. */
const MIRROR: Readonly<Record<string, string>> = { sendonly: '/recvonly', recvonly: '/sendonly', sendrecv: '/sendrecv' }

/** What is taken of an m-line's extensions, of those in `names`. `taken` has what other m-lines of the bundle agreed upon. */
export function answerExtensions(
  media: MediaDescription,
  names: readonly HeaderExtension[],
  taken: ExtensionIds,
): AnsweredExtension[] {
  const answered: AnsweredExtension[] = []
  for (const { value } of attributesOf(media, 'extmap')) {
    const match = /^(\d{1,3})(?:\/(sendonly|recvonly|sendrecv|inactive))? (\S+)/.exec(value)
    if (match === null || match[2] === 'inactive') continue
    const id = Number(match[1])
    const name = names.find((known) => EXTENSION_URIS[known] === match[3])
    if (name === undefined || id < 1 || id > 255 || id === 15) continue
    if ((taken[name] ?? id) !== id || answered.some((other) => other.name === name || other.id === id)) continue
    if (Object.entries(taken).some(([other, otherId]) => otherId === id && other !== name)) continue
    answered.push({ name, id, line: `a=extmap:${id}${MIRROR[match[2] ?? ''] ?? ''} ${EXTENSION_URIS[name]}` })
  }
  return answered
}
