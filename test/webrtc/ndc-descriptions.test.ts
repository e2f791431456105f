import { describe, expect, it } from 'vitest'
import { MalformedError, UnsupportedError } from '../../src/media/errors.ts'
import { parseCandidate, publicCandidates, writeCandidate } from '../../src/webrtc/ndc/candidate.ts'
import { parseIceServer } from '../../src/webrtc/ndc/ice-server.ts'
import { readAnswer } from '../../src/webrtc/ndc/local-description.ts'
import { writeOffer } from '../../src/webrtc/ndc/remote-description.ts'
import type { RemoteTransport } from '../../src/webrtc/transport.ts'
import { TransportError } from '../../src/webrtc/transport-error.ts'

const GOOD: RemoteTransport = {
  iceUfrag: 'K+z4',
  icePwd: 'HiG54Amz61vMOqIF6jiN94',
  fingerprint: { algorithm: 'sha-256', value: Array.from({ length: 32 }, () => 'C2').join(':') },
  setup: 'actpass',
  candidates: [],
}

describe('candidates', () => {
  // the first three are Chromium's, Firefox's and RFC 8839's (§5.1)
  it.each([
    [
      'candidate:842163049 1 udp 1677729535 203.0.113.9 46154 typ srflx raddr 10.0.0.5 rport 46154 generation 0 ufrag K+z4 network-cost 999',
      '203.0.113.9',
    ],
    ['candidate:0 1 UDP 2122252543 2001:db8::7 54321 typ host', '2001:db8::7'],
    ['candidate:2 1 UDP 1694498815 192.0.2.3 45664 typ srflx raddr 203.0.113.141 rport 8998', '192.0.2.3'],
  ])('are read: %s', (line, address) => {
    const candidate = parseCandidate(line)
    expect(candidate?.address).toBe(address)
    expect(candidate && parseCandidate(writeCandidate(candidate))).toEqual(candidate)
  })

  it.each([
    ['TCP', 'candidate:1 1 tcp 1518280447 192.0.2.2 9 typ host tcptype active'],
    ['a name', 'candidate:1 1 udp 2113937151 1f2d.local 46154 typ host'],
    ['RTCP', 'candidate:1 2 udp 2113937151 192.0.2.2 46154 typ host'],
    ['a port beyond', 'candidate:1 1 udp 1 192.0.2.2 65536 typ host'],
    ['a priority beyond', 'candidate:1 1 udp 4294967296 192.0.2.2 5000 typ host'],
    ['a zone', 'candidate:1 1 udp 1 fe80::1%eth0 5000 typ host'],
    ['no address', 'candidate:1 1 udp 1 999.0.0.1 5000 typ host'],
    ['a line in it', 'candidate:1 1 udp 1 192.0.2.2 5000 typ host\r\na=ice-ufrag:xxxx'],
    ['another type', 'candidate:1 1 udp 1 192.0.2.2 5000 typ magic'],
    ['nothing', ''],
    ['far too much', `candidate:1 1 udp 1 192.0.2.2 5000 typ host ${'x'.repeat(600)}`],
  ])('are passed over: %s', (_what, line) => {
    expect(parseCandidate(line)).toBeUndefined()
  })

  it('of public addresses stand beside those of the same family, once for each port', () => {
    const lines = ['candidate:1 1 UDP 100 10.0.0.5 7000 typ host', 'candidate:2 1 UDP 90 10.0.0.6 7000 typ host']
    const own = lines.map((line) => parseCandidate(line)).filter((candidate) => candidate !== undefined)
    const added = publicCandidates(own, ['203.0.113.7', '2001:db8::1', '10.0.0.5']).map(writeCandidate)
    expect(added).toEqual(['candidate:public1 1 UDP 99 203.0.113.7 7000 typ host'])
  })
})

describe('what is said of a peer', () => {
  it('becomes an offer with one line of media', () => {
    const offer = writeOffer(GOOD)
    expect(offer.match(/^m=/gm)).toHaveLength(1)
    expect(offer).toContain('a=ice-ufrag:K+z4\r\n')
    expect(offer).toContain('a=setup:actpass\r\n')
  })

  it.each<[string, Partial<RemoteTransport>]>([
    ['a short fragment', { iceUfrag: 'abc' }],
    ['a fragment with a line in it', { iceUfrag: 'abcd\r\na=ice-lite' }],
    ['a fragment of 257', { iceUfrag: 'a'.repeat(257) }],
    ['a colon in it', { iceUfrag: 'abcd:efgh' }],
    ['a short password', { icePwd: 'a'.repeat(21) }],
    ['a password with a blank', { icePwd: `${'a'.repeat(21)} b` }],
    ['no fingerprint', { fingerprint: { algorithm: '', value: '' } }],
    ['MD5', { fingerprint: { algorithm: 'md5', value: Array.from({ length: 16 }, () => 'C2').join(':') } }],
    ['half a fingerprint', { fingerprint: { algorithm: 'sha-256', value: 'C2:C2' } }],
    ['a fingerprint of something', { fingerprint: { ...GOOD.fingerprint, value: 'X'.repeat(95) } }],
  ])('is refused: %s', (_what, change) => {
    expect(() => writeOffer({ ...GOOD, ...change })).toThrow(MalformedError)
  })

  it('must be answered with an address', () => {
    const answer = 'a=setup:active\r\na=ice-ufrag:a\r\na=ice-pwd:b\r\na=fingerprint:sha-256 C2\r\n'
    expect(() => readAnswer(answer, [])).toThrow(TransportError)
    const line = 'candidate:1 1 UDP 100 10.0.0.5 7000 typ host'
    expect(readAnswer(`${answer}a=${line}\r\n`, [])).toMatchObject({ setup: 'active', candidates: [line] })
  })
})

describe('ICE servers', () => {
  it('are read', () => {
    expect(parseIceServer('stun:stun.example.org')).toEqual({ hostname: 'stun.example.org', port: 3478 })
    expect(parseIceServer('stun:[2001:db8::1]:19302')).toEqual({ hostname: '2001:db8::1', port: 19302 })
    expect(parseIceServer('turn:me:p%40ss@turn.example.org:443?transport=udp')).toEqual({
      hostname: 'turn.example.org',
      port: 443,
      username: 'me',
      password: 'p@ss',
      relayType: 'TurnUdp',
    })
  })

  it('get passwords for a day where a secret is shared, unless they have some', () => {
    const credentials = {
      username: expect.stringMatching(/^\d+:tapedeck$/),
      password: expect.stringMatching(/^[\w+/]{27}=$/),
    }
    expect(parseIceServer('turn:turn.example.org', 'north')).toMatchObject({ port: 3478, ...credentials })
    expect(parseIceServer('turn:me:secret@turn.example.org', 'north')).toMatchObject({ password: 'secret' })
    expect(parseIceServer('stun:stun.example.org', 'north')).toEqual({ hostname: 'stun.example.org', port: 3478 })
  })

  it.each([
    'turns:a:b@c',
    'turn:host',
    'stun:a:b@host',
    'turn:a:b@host?transport=tcp',
    'stun:host:0',
    'turn:%:b@host',
    '',
  ])('are refused: %s', (url) => {
    expect(() => parseIceServer(url)).toThrow(UnsupportedError)
  })

  it('do not give their passwords away', () => {
    expect(() => parseIceServer('turn:me:secret@host?transport=tcp')).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('secret') }),
    )
  })
})
