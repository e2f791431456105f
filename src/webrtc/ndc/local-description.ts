import { TransportError } from '../transport-error.ts'
import { parseCandidate, publicCandidates, type UdpCandidate, writeCandidate } from './candidate.ts'

/** What the library's answer says about reaching this side. */
export interface LocalDescription {
  readonly iceUfrag: string
  readonly icePwd: string
  readonly fingerprint: { readonly algorithm: string; readonly value: string }
  readonly setup: 'active' | 'passive'
  readonly candidates: readonly string[]
}

/**
 * Reads the library's answer and adds `publicAddresses` to its candidates.
 * @throws TransportError when something is not in it, or nothing is listened on
 */
export function readAnswer(sdp: string, publicAddresses: readonly string[]): LocalDescription {
  const lines = sdp.split(/\r?\n/)
  const attribute = (name: string): string => {
    const line = lines.find((candidate) => candidate.startsWith(`a=${name}:`))
    if (line === undefined) throw new TransportError(`WebRTC: the network library gave no ${name}`)
    return line.slice(name.length + 3).trim()
  }
  const [algorithm, value] = attribute('fingerprint').split(' ')
  const setup = attribute('setup')
  if (setup !== 'active' && setup !== 'passive')
    throw new TransportError(`WebRTC: answered with the DTLS role ${setup}`)
  const own = lines
    .filter((line) => line.startsWith('a=candidate:'))
    .map((line) => parseCandidate(line.slice(2)))
    .filter((candidate): candidate is UdpCandidate => candidate !== undefined)
  if (own.length === 0)
    throw new TransportError('WebRTC: no address to listen on; is there a network, and is the UDP port free?')
  const candidates = [...own, ...publicCandidates(own, publicAddresses)].map(writeCandidate)
  return {
    iceUfrag: attribute('ice-ufrag'),
    icePwd: attribute('ice-pwd'),
    fingerprint: { algorithm, value },
    setup,
    candidates,
  }
}
