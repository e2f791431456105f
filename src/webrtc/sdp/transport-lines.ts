import { MalformedError } from '../../media/errors.ts'
import type { LocalTransport, RemoteTransport } from '../transport.ts'
import { attributeOf, attributesOf, type MediaDescription, type SessionDescription } from './session-description.ts'

const MAX_CANDIDATES = 200
const MAX_CANDIDATE_CHARS = 512

/**
 * How the peer is reached, of the m-line that stands for the bundle (RFC 9143 §7.1.1); what it does not say itself is the
 * session's (RFC 8839 §5.4).
 * @throws MalformedError
 */
export function remoteTransport(description: SessionDescription, media: MediaDescription): RemoteTransport {
  const state = (name: string) => attributeOf(media, name) ?? attributeOf(description, name)
  const iceUfrag = state('ice-ufrag')
  const icePwd = state('ice-pwd')
  if (iceUfrag === undefined || !/^[A-Za-z0-9+/=_-]{4,256}$/.test(iceUfrag)) throw lacks('a=ice-ufrag')
  if (icePwd === undefined || !/^[A-Za-z0-9+/=_-]{22,256}$/.test(icePwd)) throw lacks('a=ice-pwd')
  const setup = state('setup') ?? 'actpass'
  if (setup !== 'active' && setup !== 'passive' && setup !== 'actpass') throw lacks('a=setup')
  const candidates: string[] = []
  for (const level of [media, description]) {
    for (const { value } of attributesOf(level, 'candidate')) {
      if (value.length <= MAX_CANDIDATE_CHARS && candidates.length < MAX_CANDIDATES)
        candidates.push(`candidate:${value}`)
    }
  }
  return { iceUfrag, icePwd, fingerprint: fingerprintOf(state('fingerprint')), setup, candidates }
}

/** RFC 8122 §5. */
function fingerprintOf(value: string | undefined): RemoteTransport['fingerprint'] {
  const match = /^([A-Za-z0-9-]{1,16}) ((?:[0-9A-Fa-f]{2}:){15,63}[0-9A-Fa-f]{2})$/.exec(value ?? '')
  if (match === null) throw lacks('a=fingerprint')
  return { algorithm: match[1].toLowerCase(), value: match[2].toUpperCase() }
}

function lacks(name: string): MalformedError {
  return new MalformedError('session description', `${name} is missing or not as it should be`)
}

/** The lines of an answer that say how this side is reached. */
export function transportLines(local: LocalTransport, withCandidates: boolean): string[] {
  const { iceUfrag, icePwd, fingerprint, setup, candidates } = local
  return [
    `a=ice-ufrag:${iceUfrag}`,
    `a=ice-pwd:${icePwd}`,
    'a=ice-options:trickle',
    `a=fingerprint:${fingerprint.algorithm} ${fingerprint.value}`,
    `a=setup:${setup}`,
    ...(withCandidates ? [...candidates.map((candidate) => `a=${candidate}`), 'a=end-of-candidates'] : []),
  ]
}
