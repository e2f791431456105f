import { MalformedError } from '../../media/errors.ts'
import type { RemoteTransport } from '../transport.ts'

/** Of the one media description that the library is shown: it stands for all that the peers really agreed on. */
export const MEDIA_ID = 'tapedeck'
/** RFC 8839 §5.4. */
const ICE_UFRAG = /^[A-Za-z\d+/]{4,256}$/
const ICE_PWD = /^[A-Za-z\d+/]{22,256}$/
/** Bytes of a digest by its name in RFC 8122 §5; MD2 and MD5 are none any more. */
const DIGEST_BYTES: ReadonlyMap<string, number> = new Map([
  ['sha-1', 20],
  ['sha-224', 28],
  ['sha-256', 32],
  ['sha-384', 48],
  ['sha-512', 64],
])
const HEX_PAIRS = /^[\da-f]{2}(?::[\da-f]{2})*$/i

/**
 * The offer that the library is given for a peer: everything about its transport, and one made-up media description, so that
 * each packet comes to one place whatever was negotiated.
 *
 * Everything is checked before, as what the library cannot read may end the process.
 * @throws MalformedError
 */
export function writeOffer(remote: RemoteTransport): string {
  check('ICE user name fragment', ICE_UFRAG.test(remote.iceUfrag))
  check('ICE password', ICE_PWD.test(remote.icePwd))
  const algorithm = remote.fingerprint.algorithm.toLowerCase()
  const { value } = remote.fingerprint
  const digestBytes = DIGEST_BYTES.get(algorithm)
  check(
    'certificate fingerprint',
    digestBytes !== undefined && value.length === digestBytes * 3 - 1 && HEX_PAIRS.test(value),
  )
  check('DTLS role', ['active', 'passive', 'actpass'].includes(remote.setup))
  return [
    'v=0',
    'o=- 1 1 IN IP4 127.0.0.1',
    's=-',
    't=0 0',
    `a=group:BUNDLE ${MEDIA_ID}`,
    `a=fingerprint:${algorithm} ${value.toUpperCase()}`,
    `a=ice-ufrag:${remote.iceUfrag}`,
    `a=ice-pwd:${remote.icePwd}`,
    'a=ice-options:trickle',
    `a=setup:${remote.setup}`,
    'm=video 9 UDP/TLS/RTP/SAVPF 96',
    'c=IN IP4 0.0.0.0',
    `a=mid:${MEDIA_ID}`,
    'a=sendrecv',
    'a=rtcp-mux',
    'a=rtpmap:96 VP8/90000',
    '',
  ].join('\r\n')
}

function check(what: string, isGood: boolean): void {
  if (!isGood) throw new MalformedError('session description', `not a valid ${what}`)
}
