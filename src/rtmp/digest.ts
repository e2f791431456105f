import { createHmac, timingSafeEqual } from 'node:crypto'

/**
 * The signed handshake that Flash Player 9 brought and Adobe never wrote down; as librtmp, nginx-rtmp and SRS have it.
 * A packet C1 or S1 hides an HMAC-SHA256 of its other bytes at a place that four of its bytes tell.
 */

/** C1, S1, C2 and S2 alike, bytes, §5.2.3. */
export const PACKET_BYTES = 1536
const DIGEST_BYTES = 32
/** Where the four bytes lie that tell the place, and from where it counts, for scheme 0 and scheme 1. */
const SCHEMES = [
  { places: 8, base: 12 },
  { places: 772, base: 776 },
] as const
/** The place is within the 764 bytes of a digest block, less its own four bytes and the digest. */
const PLACE_RANGE = 728

const KEY_TAIL = Buffer.from('f0eec24a8068bee82e00d0d1029e7e576eec5d2d29806fab93b8e636cfeb31ae', 'hex')

/** A side's key: its words sign the first packet, words and tail together the answer. */
export interface SideKey {
  readonly words: Buffer
  readonly whole: Buffer
}

/** What servers sign with. */
export const SERVER_KEY: SideKey = sideKey('Genuine Adobe Flash Media Server 001')
/** What clients sign with. */
export const CLIENT_KEY: SideKey = sideKey('Genuine Adobe Flash Player 001')

function sideKey(words: string): SideKey {
  return { words: Buffer.from(words), whole: Buffer.concat([Buffer.from(words), KEY_TAIL]) }
}

/** The scheme and the digest of a first packet that was signed with `key`; undefined when it was not. */
export function findDigest(packet: Buffer, key: SideKey): { scheme: 0 | 1; digest: Buffer } | undefined {
  for (const scheme of [0, 1] as const) {
    const at = placeOf(packet, scheme)
    const stated = packet.subarray(at, at + DIGEST_BYTES)
    if (timingSafeEqual(digestAround(packet, at, key), stated)) return { scheme, digest: Buffer.from(stated) }
  }
  return undefined
}

/** Signs a first packet in place and returns its digest. */
export function signPacket(packet: Buffer, scheme: 0 | 1, key: SideKey): Buffer {
  const at = placeOf(packet, scheme)
  const digest = digestAround(packet, at, key)
  digest.copy(packet, at)
  return digest
}

/** Signs an answer (C2 or S2) in place: its last 32 bytes, with a key made from the digest that it answers. */
export function signAnswer(packet: Buffer, answered: Buffer, key: SideKey): void {
  const end = PACKET_BYTES - DIGEST_BYTES
  hmac(hmac(key.whole, answered), packet.subarray(0, end)).copy(packet, end)
}

function placeOf(packet: Buffer, scheme: 0 | 1): number {
  const { places, base } = SCHEMES[scheme]
  const sum = packet[places] + packet[places + 1] + packet[places + 2] + packet[places + 3]
  return base + (sum % PLACE_RANGE)
}

function digestAround(packet: Buffer, at: number, key: SideKey): Buffer {
  return hmac(key.words, packet.subarray(0, at), packet.subarray(at + DIGEST_BYTES))
}

function hmac(key: Buffer, ...parts: Buffer[]): Buffer {
  const mac = createHmac('sha256', key)
  for (const part of parts) mac.update(part)
  return mac.digest()
}
