import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeAnswer } from '../src/webrtc/sdp/answer.ts'
import { negotiatePublish } from '../src/webrtc/sdp/publish-offer.ts'
import { parseSessionDescription } from '../src/webrtc/sdp/session-description.ts'
import { negotiateWatch } from '../src/webrtc/sdp/watch-offer.ts'
import type { LocalTransport } from '../src/webrtc/transport.ts'
import type { FuzzTarget } from './target.ts'

const FIXTURES = join(import.meta.dirname, '../test/webrtc/fixtures')

const local: LocalTransport = {
  iceUfrag: 'tape',
  icePwd: 'deckdeckdeckdeckdeckdeck',
  fingerprint: { algorithm: 'sha-256', value: `AA${':AA'.repeat(31)}` },
  setup: 'passive',
  candidates: ['candidate:1 1 UDP 2122317823 192.0.2.9 5000 typ host'],
  transport: {
    state: 'connecting',
    stats: { packetsReceived: 0, bytesReceived: 0, packetsSent: 0, bytesSent: 0, rttMs: undefined, remote: undefined },
    send: () => false,
    addCandidate: () => {},
    close: () => {},
  },
}

/** An offer, to publish and to watch what it publishes; what is taken must be answered with a description that can be read. */
export const target: FuzzTarget = {
  name: 'sdp',
  seeds: () => readdirSync(FIXTURES).map((name) => readFileSync(join(FIXTURES, name))),
  run(input) {
    const offer = Buffer.from(input).toString('latin1')
    const { sections, media } = negotiatePublish({
      offer,
      videoCodecs: ['h264', 'vp9', 'av1', 'vp8', 'hevc'],
      audioCodecs: ['opus', 'pcm-alaw', 'pcm-mulaw', 'pcm-s16le'],
      labels: {},
    })
    const answer = parseSessionDescription(writeAnswer(sections, local, { maxBitrateBps: 1_000_000 }))
    if (answer.media.length !== sections.length) throw new Error('an m-line is missing from the answer')
    const sent = media.map((one, index) => ({ media: one, format: undefined, ssrc: index + 1, rtxSsrc: index + 100 }))
    const watched = negotiateWatch(offer.replaceAll('a=sendonly', 'a=recvonly'), sent)
    parseSessionDescription(writeAnswer(watched.sections, local))
  },
}
