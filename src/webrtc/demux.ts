import type { RtpPacket } from '../rtp/packet.ts'
import type { ExtensionIds } from './sdp/header-extensions.ts'
import type { IncomingMedia } from './sdp/negotiation.ts'

/** One m-line's layer, as the demultiplexer sees it. */
export interface DemuxEncoding {
  readonly media: IncomingMedia
  /** Undefined without simulcast. */
  readonly rid: string | undefined
  /** From now on its packets have this SSRC. */
  begin(ssrc: number, nowMs: number): void
  /** A packet of its SSRC or of its retransmissions. */
  receive(packet: RtpPacket): void
}

/** Packets that could not be given to anybody. */
export interface Strays {
  /** It is not known to which m-line they belong, or there were too many SSRCs. */
  unknownSsrc: number
  /** Of a payload type that the m-line does not have. */
  notNegotiated: number
  /** Not RTP. */
  malformed: number
}

/** One SSRC. */
interface Route {
  readonly key: number
  readonly encoding: DemuxEncoding
  /** The payload types of retransmissions, of an SSRC of which only those came so far. */
  readonly rtxPayloadTypes: ReadonlySet<number> | undefined
  lastMs: number
  /** Another SSRC has taken its place. */
  isRetired: boolean
}

/** What an SSRC's first packet is looked up in: an m-line, and how its payload types are used. */
interface MediaIndex {
  readonly media: IncomingMedia
  readonly encodings: readonly DemuxEncoding[]
  readonly payloadTypes: ReadonlySet<number>
  readonly rtxPayloadTypes: ReadonlySet<number>
}

/** 16 m-lines of 8 layers with retransmissions, and as many that were left. */
const MAX_ROUTES = 512
const MAX_NEW_PER_SECOND = 32
/** In the life of a session: who sends for a day and changes each minute needs 1440. */
const MAX_NEW = 4096
/** An SSRC that was left is taken again when its successor has been silent for so long, ms. */
const RETURN_AFTER_MS = 1000
/** RFC 8843 and RFC 8851 name no bound; two-byte header extensions can hold 255. */
const MAX_ID_BYTES = 64

/**
 * Tells which encoding a packet belongs to (RFC 9143 §9.2, RFC 8852): by what its SSRC was found to be; an unknown one by MID and
 * RID (or repaired RID) of its header extensions, by `a=ssrc`, or by a payload type that only one m-line has.
 */
export class Demux {
  readonly strays: Strays = { unknownSsrc: 0, notNegotiated: 0, malformed: 0 }
  readonly #index: MediaIndex[]
  readonly #ids: ExtensionIds
  readonly #routes = new Map<number, Route>()
  readonly #active = new Map<DemuxEncoding, Route>()
  #last: Route | undefined
  #windowMs = 0
  #newInWindow = 0
  #admitted = 0

  constructor(encodings: readonly DemuxEncoding[], ids: ExtensionIds) {
    this.#ids = ids
    const lines = [...new Set(encodings.map(({ media }) => media))]
    this.#index = lines.map((media) => ({
      media,
      encodings: encodings.filter((encoding) => encoding.media === media),
      payloadTypes: new Set(media.formats.map(({ payloadType }) => payloadType)),
      rtxPayloadTypes: new Set(media.formats.flatMap(({ rtxPayloadType }) => rtxPayloadType ?? [])),
    }))
  }

  /** Gives the packet to its encoding. False when nobody wants it: counted. */
  route(packet: RtpPacket): boolean {
    const key = packet.ssrc | 0 // small integers are cheaper keys
    const last = this.#last
    const known = last?.key === key ? last : this.#routes.get(key)
    const isAsKnown =
      known !== undefined && !known.isRetired && known.rtxPayloadTypes?.has(packet.payloadType) !== false
    const route = isAsKnown ? known : this.#find(key, packet, known)
    if (route === undefined) return false
    this.#last = route
    route.lastMs = packet.arrivalMs
    route.encoding.receive(packet)
    return true
  }

  /** The encoding of an SSRC, without retransmissions; undefined while it is not known. */
  encodingOf(ssrc: number): DemuxEncoding | undefined {
    const route = this.#routes.get(ssrc | 0)
    return route === undefined || route.rtxPayloadTypes !== undefined || route.isRetired ? undefined : route.encoding
  }

  #find(key: number, packet: RtpPacket, known: Route | undefined): Route | undefined {
    if (known?.isRetired)
      return this.#mayReturn(known, packet.arrivalMs) ? this.#admit(key, known, packet) : this.#stray()
    const index = this.#mediaOf(packet)
    if (index === undefined) return this.#stray()
    const isRtx = index.rtxPayloadTypes.has(packet.payloadType)
    if (!isRtx && !index.payloadTypes.has(packet.payloadType)) {
      this.strays.notNegotiated++
      return undefined
    }
    const encoding = this.#encodingOf(index, packet, isRtx)
    if (encoding === undefined || !this.#mayAdmit(packet.arrivalMs)) return this.#stray()
    return this.#admit(key, { encoding, rtxPayloadTypes: isRtx ? index.rtxPayloadTypes : undefined }, packet)
  }

  #stray(): undefined {
    this.strays.unknownSsrc++
    return undefined
  }

  #mediaOf(packet: RtpPacket): MediaIndex | undefined {
    const mid = idOf(packet, this.#ids.mid)
    if (mid !== undefined) return this.#index.find(({ media }) => media.mid === mid)
    const announced = this.#index.find(({ media }) =>
      media.ssrcs.some(({ ssrc, rtxSsrc }) => ssrc === packet.ssrc || rtxSsrc === packet.ssrc),
    )
    if (announced !== undefined) return announced
    const type = packet.payloadType
    const having = this.#index.filter((index) => index.payloadTypes.has(type) || index.rtxPayloadTypes.has(type))
    return having.length === 1 ? having[0] : undefined
  }

  #encodingOf({ media, encodings }: MediaIndex, packet: RtpPacket, isRtx: boolean): DemuxEncoding | undefined {
    if (media.rids.length === 0) return encodings[0]
    const rid = (isRtx ? idOf(packet, this.#ids.repairedRid) : undefined) ?? idOf(packet, this.#ids.rid)
    if (rid !== undefined) return encodings.find((encoding) => encoding.rid === rid)
    const primary = media.ssrcs.find(({ rtxSsrc }) => rtxSsrc === packet.ssrc)?.ssrc
    return primary === undefined ? undefined : this.encodingOf(primary)
  }

  #mayReturn(route: Route, nowMs: number): boolean {
    const active = this.#active.get(route.encoding)
    return (active === undefined || nowMs - active.lastMs >= RETURN_AFTER_MS) && this.#mayAdmit(nowMs)
  }

  #mayAdmit(nowMs: number): boolean {
    if (nowMs - this.#windowMs >= 1000) {
      this.#windowMs = nowMs
      this.#newInWindow = 0
    }
    return ++this.#newInWindow <= MAX_NEW_PER_SECOND && ++this.#admitted <= MAX_NEW
  }

  #admit(
    key: number,
    { encoding, rtxPayloadTypes }: Pick<Route, 'encoding' | 'rtxPayloadTypes'>,
    packet: RtpPacket,
  ): Route {
    const route: Route = { key, encoding, rtxPayloadTypes, lastMs: packet.arrivalMs, isRetired: false }
    if (rtxPayloadTypes === undefined) {
      const before = this.#active.get(encoding)
      if (before !== undefined) before.isRetired = true
      this.#active.set(encoding, route)
      encoding.begin(packet.ssrc, packet.arrivalMs)
    }
    this.#routes.delete(key)
    this.#routes.set(key, route)
    if (this.#routes.size > MAX_ROUTES) this.#forget()
    return route
  }

  /** Lets go of the SSRC that was found first, of those that are not in use. */
  #forget(): void {
    for (const [key, route] of this.#routes) {
      if (this.#active.get(route.encoding) === route) continue
      this.#routes.delete(key)
      return
    }
  }
}

/** The text of an SDES header extension (RFC 7941 §4.1.1). */
function idOf(packet: RtpPacket, extensionId: number | undefined): string | undefined {
  if (extensionId === undefined) return undefined
  const bytes = packet.extension(extensionId)
  if (bytes === undefined || bytes.length > MAX_ID_BYTES) return undefined
  return String.fromCharCode(...bytes)
}
