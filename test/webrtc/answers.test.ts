import { describe, expect, it } from 'vitest'
import { UnsupportedError } from '../../src/media/errors.ts'
import { writeAnswer } from '../../src/webrtc/sdp/answer.ts'
import { payloadFormats } from '../../src/webrtc/sdp/payload-formats.ts'
import { negotiatePublish, type PublishNegotiation } from '../../src/webrtc/sdp/publish-offer.ts'
import { attributeOf, attributesOf, parseSessionDescription } from '../../src/webrtc/sdp/session-description.ts'
import { localTransport, OFFERS, offerOf, publishRequest, REMOTE } from './offers.ts'

const transport = { state: 'connecting', send: () => false, addCandidate: () => {}, close: () => {} } as const
const local = localTransport({
  ...transport,
  stats: { packetsReceived: 0, bytesReceived: 0, packetsSent: 0, bytesSent: 0, rttMs: undefined, remote: undefined },
})
const negotiated = (offer: string, more: Parameters<typeof publishRequest>[1] = {}) =>
  negotiatePublish(publishRequest(offer, more))
const answered = (negotiation: PublishNegotiation) =>
  parseSessionDescription(writeAnswer(negotiation.sections, local, { maxBitrateBps: 6_000_000 }))

describe('an answer', () => {
  it.each(OFFERS)('to %s has every m-line of it, in order, and says nothing that was not offered', (name) => {
    const offer = parseSessionDescription(offerOf(name))
    const answer = answered(negotiated(offerOf(name)))
    expect(answer.media.map(({ media }) => media)).toEqual(offer.media.map(({ media }) => media))
    answer.media.forEach((media, index) => {
      const offered = offer.media[index]
      expect(attributeOf(media, 'mid')).toBe(attributeOf(offered, 'mid'))
      expect(media.protocol).toBe(offered.protocol)
      expect(offered.formats).toEqual(expect.arrayContaining([...media.formats]))
      if (media.port === 0) return
      const known = payloadFormats(offered)
      for (const format of payloadFormats(media)) {
        const same = known.find(({ payloadType }) => payloadType === format.payloadType)
        expect(same?.name).toBe(format.name)
        const asked = [...format.feedback].filter((one) => one !== 'nack' || format.encoding !== 'opus')
        expect([...(same?.feedback ?? [])]).toEqual(expect.arrayContaining(asked))
      }
      const uris = attributesOf(offered, 'extmap').map(({ value }) => value.replace(/\/\w+ /, ' '))
      for (const { value } of attributesOf(media, 'extmap')) expect(uris).toContain(value.replace(/\/\w+ /, ' '))
      expect(attributeOf(media, 'ice-ufrag')).toBe(REMOTE.iceUfrag)
      expect(attributeOf(media, 'setup')).toBe('passive')
    })
    const accepted = answer.media.filter(({ port }) => port !== 0)
    expect(attributeOf(answer, 'group')).toBe(`BUNDLE ${accepted.map((media) => attributeOf(media, 'mid')).join(' ')}`)
    expect(accepted.map((media) => attributesOf(media, 'candidate').length)).toEqual([
      1,
      ...accepted.slice(1).map(() => 0),
    ])
  })

  it('prefers what the room records, H.264 in mode 1 first, each with its retransmissions', () => {
    const [, video] = negotiated(offerOf('chromium-camera')).media
    const modes = video.formats.map(({ codec, parameters }) => `${codec}${parameters.get('packetization-mode') ?? ''}`)
    expect(modes).toEqual([...['h2641', 'h2641', 'h2641', 'h2640', 'h2640', 'h2640'], 'vp9', 'vp9', 'av1', 'vp8'])
    expect(video.formats.every(({ rtxPayloadType }) => rtxPayloadType !== undefined)).toBe(true)
    const [, vp8] = negotiated(offerOf('chromium-camera'), { videoCodecs: ['vp8'] }).media
    expect(vp8.formats.map(({ codec, payloadType, rtxPayloadType }) => [codec, payloadType, rtxPayloadType])).toEqual([
      ['vp8', 96, 97],
    ])
  })

  it('raises the level of H.264 where it may differ, and leaves the profile', () => {
    const [, video] = answered(negotiated(offerOf('safari'))).media
    const levels = attributesOf(video, 'fmtp').flatMap(({ value }) => /profile-level-id=(\w+)/.exec(value)?.[1] ?? [])
    expect(levels).toEqual(['640c34', '42e034'])
    const strict = offerOf('safari').replaceAll('level-asymmetry-allowed=1;', '')
    expect(writeAnswer(negotiated(strict).sections, local)).toContain('profile-level-id=640c1f')
  })

  it('receives every layer, in the order that the sender prefers', () => {
    const { media, sections } = negotiated(offerOf('firefox-simulcast'))
    expect(media[1].rids).toEqual(['q', 'h', 'f'])
    const video = parseSessionDescription(writeAnswer(sections, local)).media[1]
    expect(attributeOf(video, 'simulcast')).toBe('recv q;h;f')
    expect(attributesOf(video, 'rid').map(({ value }) => value)).toEqual(['q recv', 'h recv', 'f recv'])
    expect(attributesOf(video, 'extmap').map(({ value }) => value)).toContain(
      '8/recvonly urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id',
    )
  })

  it('takes the first of alternative layers, and paused ones', () => {
    const offer = offerOf('chromium-simulcast-screen').replace('send q;h;f', 'send ~f;h,q')
    expect(negotiated(offer).media[1].rids).toEqual(['f', 'h'])
  })

  it('asks for stereo, leaves FEC and DTX as offered, and tells Chromium how far it may go', () => {
    const [audio, video] = answered(negotiated(offerOf('chromium-camera'))).media
    expect(attributeOf(audio, 'fmtp')).toBe('111 minptime=10;useinbandfec=1;stereo=1')
    expect(attributeOf(video, 'fmtp')).toContain('x-google-start-bitrate=2500;x-google-max-bitrate=6000')
    const text = writeAnswer(negotiated(offerOf('chromium-camera')).sections, local, { maxBitrateBps: 6_000_000 })
    expect(text).toContain('b=AS:6000\r\nb=TIAS:6000000\r\n')
    const gstreamer = writeAnswer(negotiated(offerOf('gstreamer-webrtcbin')).sections, local, {
      maxBitrateBps: 6_000_000,
    })
    expect(gstreamer).not.toContain('x-google')
  })

  it('asks for lost sound again, which libwebrtc and OBS do without having offered it', () => {
    const [audio] = answered(negotiated(offerOf('chromium-camera'))).media
    expect(attributesOf(audio, 'rtcp-fb').map(({ value }) => value)).toEqual(['111 transport-cc', '111 nack'])
  })

  it('turns data channels down, and takes nothing of what is not bundled (RFC 9725 §4.4.1)', () => {
    const answer = answered(negotiated(offerOf('gstreamer-webrtcbin')))
    expect(answer.media.map(({ media, port }) => `${media} ${port}`)).toEqual(['video 9', 'audio 9', 'application 0'])
    const apart = offerOf('chromium-camera').replace('BUNDLE 0 1', 'BUNDLE 1')
    expect(() => negotiated(apart)).toThrow(/m-line 0 \(audio\) is not bundled with the others/)
    const alone = offerOf('chromium-camera').replace(/a=group:BUNDLE 0 1\r\n/, '')
    expect(() => negotiated(alone)).toThrow(/m-line 1 \(video\) is not bundled with the others: .* \(max-bundle\)/)
    const idle = apart.replace('a=sendonly', 'a=inactive')
    expect(answered(negotiated(idle)).media.map(({ port }) => port)).toEqual([0, 9])
  })

  it('keeps an m-line that does not send in the bundle', () => {
    const offer = offerOf('chromium-camera').replace('a=sendonly', 'a=inactive')
    const { media, sections } = negotiated(offer)
    expect(media.map(({ mid }) => mid)).toEqual(['1'])
    expect(sections.map(({ direction }) => direction)).toEqual(['inactive', 'recvonly'])
  })

  it('takes all that sends sound or pictures or nothing: half a publisher would mislead (RFC 9725 §4.4.3)', () => {
    const mute = offerOf('chromium-camera').replace(
      'UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126',
      'UDP/TLS/RTP/SAVPF 13 126',
    )
    expect(mute).not.toBe(offerOf('chromium-camera'))
    expect(() => negotiated(mute)).toThrow(/m-line 0 \(audio\) sends nothing that can be taken: wanted is one of opus/)
    const idle = mute.replace('a=sendonly', 'a=inactive')
    expect(negotiated(idle).sections.map(({ direction }) => direction)).toEqual(['rejected', 'recvonly'])
  })

  it('takes no more m-lines than it can receive', () => {
    const [head, audio] = offerOf('chromium-camera').split(/(?=m=)/)
    const of = (count: number) => {
      const mids = Array.from({ length: count }, (_, i) => i)
      const lines = mids.map((mid) => audio.replace('a=mid:0', `a=mid:${mid}`))
      return head.replace('BUNDLE 0 1', `BUNDLE ${mids.join(' ')}`) + lines.join('')
    }
    expect(negotiated(of(16)).media).toHaveLength(16)
    expect(() => negotiated(of(17))).toThrow(/more than 16 m-lines/)
  })

  it('says why nothing can be taken', () => {
    expect(() => negotiated(offerOf('obs'), { videoCodecs: ['av1'], audioCodecs: [] })).toThrow(UnsupportedError)
    expect(() => negotiated(offerOf('obs').replaceAll('a=sendonly', 'a=recvonly'))).toThrow(UnsupportedError)
    expect(() => negotiated(offerOf('obs').replaceAll('a=rtcp-mux\r\n', ''))).toThrow(/rtcp-mux/)
  })
})

describe('what is taken', () => {
  it.each([
    ['chromium-simulcast-screen', ['microphone', 'camera', 'screen']],
    ['obs', ['microphone', 'camera']],
    ['gstreamer-webrtcbin', ['camera', 'microphone']],
  ])('of %s has the names that people use', (name, labels) => {
    expect(negotiated(offerOf(name)).media.map(({ label }) => label)).toEqual(labels)
  })

  it('is named as asked, as its i= line says, or by its content', () => {
    const offer = offerOf('chromium-simulcast-screen')
    const labels = (text: string, more = {}) => negotiated(text, more).media.map(({ label }) => label)
    expect(labels(offer, { labels: { 1: 'stage', 2: 'x'.repeat(99) } })).toEqual([
      'microphone',
      'stage',
      'x'.repeat(64),
    ])
    expect(labels(offer.replace('m=audio', 'm=audio').replace(/(m=audio.*\r\n)/, '$1i=desk\r\n'))[0]).toBe('desk')
    expect(labels(offer.replace('a=mid:1', 'a=mid:1\r\na=content:slides'))).toEqual(['microphone', 'screen', 'screen'])
  })

  it('knows the SSRCs that are announced, and those of their retransmissions', () => {
    expect(negotiated(offerOf('ffmpeg-whip')).media.map(({ ssrcs }) => ssrcs)).toEqual([
      [{ ssrc: 1203371411, rtxSsrc: undefined }],
      [{ ssrc: 1511408171, rtxSsrc: 3511408171 }],
    ])
  })

  it('is reached as the m-line or the session says', () => {
    const { remote } = negotiated(offerOf('obs'))
    expect(remote).toMatchObject({ iceUfrag: 'nxcM', setup: 'actpass', fingerprint: { algorithm: 'sha-256' } })
    expect(remote.candidates).toEqual(['candidate:1 1 UDP 2122317823 192.0.2.53 57249 typ host'])
    expect(negotiated(offerOf('ffmpeg-whip')).remote.setup).toBe('passive')
    expect(negotiated(offerOf('chromium-camera')).remote.candidates).toHaveLength(4)
  })

  it('has static payload types without a name of their own', () => {
    const offer = offerOf('obs').replace('UDP/TLS/RTP/SAVPF 111', 'UDP/TLS/RTP/SAVPF 8 0')
    const [audio] = negotiated(offer).media
    expect(audio.formats.map(({ codec, clockRateHz }) => [codec, clockRateHz])).toEqual([
      ['pcm-alaw', 8000],
      ['pcm-mulaw', 8000],
    ])
  })
})
