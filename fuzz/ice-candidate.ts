import { parseCandidate, publicCandidates, writeCandidate } from '../src/webrtc/ndc/candidate.ts'
import { readAnswer } from '../src/webrtc/ndc/local-description.ts'
import { writeOffer } from '../src/webrtc/ndc/remote-description.ts'
import type { FuzzTarget } from './target.ts'

/** Lines that may come out: what native code is given has nothing in it that could be another line. */
const CLEAN = /^[\x20-\x7e]+$/

const SEEDS = [
  'candidate:842163049 1 udp 1677729535 203.0.113.9 46154 typ srflx raddr 10.0.0.5 rport 46154 generation 0',
  'candidate:0 1 UDP 2122252543 2001:db8::7 54321 typ host',
  `K+z4\nHiG54Amz61vMOqIF6jiN94\nsha-256\n${Array.from({ length: 32 }, () => 'C2').join(':')}\nactive`,
]

/** Candidates, and what else a peer says of its transport, on their way to native code. */
export const target: FuzzTarget = {
  name: 'ice-candidate',
  seeds: () => SEEDS.map((line) => Buffer.from(line)),
  run(input) {
    const text = Buffer.from(input.buffer, input.byteOffset, input.length).toString('latin1')
    const candidate = parseCandidate(text)
    if (candidate !== undefined) {
      for (const out of [candidate, ...publicCandidates([candidate], ['192.0.2.1', '2001:db8::1'])]) {
        const line = writeCandidate(out)
        if (!CLEAN.test(line) || parseCandidate(line) === undefined) throw new Error(`wrote ${line}`)
      }
      return
    }
    const [iceUfrag = '', icePwd = '', algorithm = '', value = '', setup = ''] = text.split('\n')
    const role = setup === 'active' || setup === 'passive' ? setup : 'actpass'
    const offer = writeOffer({ iceUfrag, icePwd, fingerprint: { algorithm, value }, setup: role, candidates: [] })
    if (offer.split('\r\n').length !== 17 || !CLEAN.test(offer.replaceAll('\r\n', '')))
      throw new Error('another line in it')
    readAnswer(offer, [])
  },
}
