import { attributeOf, attributesOf, type MediaDescription, malformedLine } from './session-description.ts'

/** Chromium sends at most 3, others up to 4. */
const MAX_LAYERS = 8
const MAX_SSRCS = 64

/** An SSRC that is announced, and that of its retransmissions. */
export interface AnnouncedSsrc {
  readonly ssrc: number
  readonly rtxSsrc: number | undefined
}

/**
 * The restriction identifiers of the layers that are offered, in the order of `a=simulcast:send` (RFC 8853 §5.2), of
 * alternatives the first; `a=rid … send` alone will do (RFC 8851 §4). Empty without simulcast.
 * @throws MalformedError
 */
export function offeredRids(media: MediaDescription): string[] {
  const rids: string[] = []
  for (const { value, line } of attributesOf(media, 'rid')) {
    const [rid, direction] = value.split(' ')
    if (!/^[A-Za-z0-9_-]{1,64}$/.test(rid)) throw malformedLine(line, 'a=rid without an identifier') // RFC 8851 §10
    if (direction === 'send' && !rids.includes(rid)) rids.push(rid)
  }
  const simulcast = / ?send (\S+)/.exec(` ${attributeOf(media, 'simulcast') ?? ''}`)?.[1]
  const listed = simulcast?.split(';').map((alternatives) => alternatives.split(',')[0].replace(/^~/, '')) ?? []
  const ordered = listed.filter((rid, index) => rids.includes(rid) && listed.indexOf(rid) === index)
  return (ordered.length > 0 ? ordered : rids).slice(0, MAX_LAYERS)
}

/** The SSRCs of `a=ssrc` and `a=ssrc-group` (RFC 5576), those of retransmissions beside what they repeat. */
export function announcedSsrcs(media: MediaDescription): AnnouncedSsrc[] {
  const primaries = new Set<number>()
  const rtx = new Map<number, number>()
  for (const { value } of attributesOf(media, 'ssrc-group')) {
    const [semantics, first, second] = value.split(' ')
    const pair = [ssrcOf(first), ssrcOf(second)]
    if (semantics === 'FID' && pair[0] !== undefined && pair[1] !== undefined) rtx.set(pair[0], pair[1])
  }
  const repairs = new Set(rtx.values())
  for (const { value } of attributesOf(media, 'ssrc')) {
    const ssrc = ssrcOf(value.split(' ', 1)[0])
    if (ssrc !== undefined && !repairs.has(ssrc)) primaries.add(ssrc)
    if (primaries.size >= MAX_SSRCS) break
  }
  for (const ssrc of rtx.keys()) if (primaries.size < MAX_SSRCS && !repairs.has(ssrc)) primaries.add(ssrc)
  return [...primaries].map((ssrc) => ({ ssrc, rtxSsrc: rtx.get(ssrc) }))
}

function ssrcOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,10}$/.test(text) && Number(text) <= 0xffffffff ? Number(text) : undefined
}
