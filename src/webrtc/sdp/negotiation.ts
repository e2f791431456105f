import type { ChosenFormat } from './codec-choice.ts'
import type { AnsweredExtension, ExtensionIds } from './header-extensions.ts'
import { attributeOf, type MediaDescription } from './session-description.ts'
import type { AnnouncedSsrc } from './stream-lines.ts'

/** What is said to one m-line of an offer. */
export interface AnswerSection {
  readonly offered: MediaDescription
  readonly direction: 'recvonly' | 'sendonly' | 'inactive' | 'rejected'
  readonly mid: string
  readonly formats: readonly ChosenFormat[]
  readonly extensions: readonly AnsweredExtension[]
  /** Layers that are received. */
  readonly rids: readonly string[]
  /** Written as they are: what is sent on this m-line. */
  readonly streamLines: readonly string[]
}

/** One m-line on which media comes in. */
export interface IncomingMedia {
  readonly kind: 'video' | 'audio'
  readonly mid: string
  readonly label: string
  /** What may come, best first. */
  readonly formats: readonly ChosenFormat[]
  /** Layers, best first; empty without simulcast. */
  readonly rids: readonly string[]
  readonly ssrcs: readonly AnnouncedSsrc[]
  readonly extensions: ExtensionIds
}

/** An m-line that is turned down (RFC 8829 §5.3.1). */
export function rejected(offered: MediaDescription, mid: string): AnswerSection {
  return { offered, direction: 'rejected', mid, formats: [], extensions: [], rids: [], streamLines: [] }
}

/** Which way the peer wants media to go; both ways by default (RFC 8866 §6.7). */
export function directionOf(media: MediaDescription): 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive' {
  for (const direction of ['sendonly', 'recvonly', 'inactive'] as const)
    if (attributeOf(media, direction) !== undefined) return direction
  return 'sendrecv'
}
