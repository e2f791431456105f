import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MalformedError, TapedeckError } from '../../src/media/errors.ts'
import { negotiatePublish } from '../../src/webrtc/sdp/publish-offer.ts'
import { parseSessionDescription } from '../../src/webrtc/sdp/session-description.ts'
import { OFFERS, offerOf, publishRequest } from './offers.ts'

const read = (offer: string) => negotiatePublish(publishRequest(offer))

describe('an offer that cannot be read', () => {
  it.each([
    ['nothing', '', /no m-line/],
    ['no session', 'o=- 1 1 IN IP4 0.0.0.0', /line 1: does not begin/],
    ['no m-line', 'v=0\r\ns=-\r\n', /no m-line/],
    ['no SDP', 'v=0\r\n{"type":"offer"}\r\n', /line 2: not of the form/],
    ['an m-line without port', 'v=0\r\nm=video\r\n', /line 2: m-line without a port/],
    ['a port that is none', 'v=0\r\nm=video 65536 UDP/TLS/RTP/SAVPF 96\r\n', /line 2: m-line without a port/],
    ['an m-line without formats', 'v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF\r\n', /line 2: m-line without protocol/],
    ['control characters', 'v=0\r\ns=a\u0007b\r\n', /line 2: control characters/],
    ['a line without end', `v=0\r\ns=${'x'.repeat(5000)}`, /line 2: longer than/],
    ['lines without end', `v=0${'\na=x'.repeat(7000)}`, /too many lines/],
    ['m-lines without end', `v=0${'\nm=video 9 UDP/TLS/RTP/SAVPF 96'.repeat(70)}`, /line 66: more than 64 m-lines/],
    ['formats without end', `v=0\nm=video 9 UDP/TLS/RTP/SAVPF${' 96'.repeat(200)}`, /more than 128 formats/],
    ['text without end', `v=0\n${'x'.repeat(300_000)}`, /longer than 131072/],
  ])('%s: says what and where', (_name, text, message) => {
    expect(() => parseSessionDescription(text)).toThrow(MalformedError)
    expect(() => parseSessionDescription(text)).toThrow(message)
  })

  it.each([
    ['no ufrag', (text: string) => text.replaceAll(/a=ice-ufrag.*\r\n/g, '')],
    ['a password that is too short', (text: string) => text.replaceAll(/a=ice-pwd:.*\r\n/g, 'a=ice-pwd:short\r\n')],
    ['a fingerprint that is none', (text: string) => text.replaceAll(/sha-256 .*\r\n/g, 'sha-256 zz\r\n')],
    ['a setup that is none', (text: string) => text.replaceAll('actpass', 'holdconn')],
    ['a mid twice', (text: string) => text.replace('a=mid:1', 'a=mid:0')],
    ['a payload type that is none', (text: string) => text.replace('SAVPF 111', 'SAVPF 1111')],
    ['a clock rate that is none', (text: string) => text.replace('opus/48000/2', 'opus/0')],
    ['a mid without end', (text: string) => text.replace('a=mid:1', `a=mid:${'1'.repeat(65)}`)],
    ['an rtpmap of nothing', (text: string) => text.replace('a=rtpmap:111', 'a=rtpmap:x')],
    ['a layer without a name', (text: string) => `${text}a=rid:# send\r\n`],
  ])('%s is malformed', (_name, spoil) => {
    expect(() => read(spoil(offerOf('chromium-camera')))).toThrow(MalformedError)
  })

  it('is refused with an error of ours, however it was changed, and never answered by more than it asked', () => {
    const lines = OFFERS.flatMap((name) => offerOf(name).split('\r\n'))
    const offer = fc.tuple(
      fc.constantFrom(...OFFERS),
      fc.array(fc.tuple(fc.nat(150), fc.nat(lines.length - 1)), { maxLength: 8 }),
    )
    fc.assert(
      fc.property(offer, ([name, changes]) => {
        const changed = offerOf(name).split('\r\n')
        for (const [at, from] of changes) changed[at % changed.length] = lines[from]
        try {
          const { media, sections } = read(changed.join('\r\n'))
          expect(media.length).toBeLessThanOrEqual(sections.length)
        } catch (error) {
          expect(error).toBeInstanceOf(TapedeckError)
        }
      }),
      { numRuns: 300 },
    )
  })
})
