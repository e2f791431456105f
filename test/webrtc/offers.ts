import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { PublishRequest } from '../../src/webrtc/engine.ts'
import type { LocalTransport, RemoteTransport, Transport } from '../../src/webrtc/transport.ts'

/** Names of the offers in `fixtures/`: Chromium's were taken from it, the others are as their projects publish them. */
export const OFFERS = [
  ...['chromium-camera', 'chromium-simulcast-screen', 'chromium-datachannel-sendrecv', 'firefox-simulcast', 'safari'],
  ...['obs', 'gstreamer-webrtcbin', 'ffmpeg-whip'],
] as const

/** An offer of a real peer, with CRLF as on the wire. */
export function offerOf(name: string): string {
  const text = readFileSync(join(import.meta.dirname, 'fixtures', `${name}.sdp`), 'utf8')
  return text.replace(/\r?\n/g, '\r\n')
}

/** A wish to publish everything that there is. */
export function publishRequest(offer: string, more: Partial<PublishRequest> = {}): PublishRequest {
  return {
    id: 'publisher',
    offer,
    videoCodecs: ['h264', 'vp9', 'av1', 'vp8', 'hevc'],
    audioCodecs: ['opus', 'pcm-alaw', 'pcm-mulaw', 'pcm-s16le'],
    layers: 'best',
    maxBitrateBps: 6_000_000,
    jitterBudgetMs: 1000,
    labels: {},
    ...more,
  }
}

/** This side of an association that does not exist. */
export const REMOTE: RemoteTransport = {
  iceUfrag: 'tape',
  icePwd: 'deckdeckdeckdeckdeckdeck',
  fingerprint: { algorithm: 'sha-256', value: `AA${':AA'.repeat(31)}` },
  setup: 'passive',
  candidates: ['candidate:1 1 UDP 2122317823 192.0.2.9 5000 typ host'],
}

/** `REMOTE` as what a factory hands out. */
export function localTransport(transport: Transport): LocalTransport {
  return { ...REMOTE, transport }
}
