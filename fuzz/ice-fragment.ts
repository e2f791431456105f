import { parseIceFragment } from '../src/webrtc/sdp/ice-fragment.ts'
import type { FuzzTarget } from './target.ts'

const FRAGMENT = [
  'a=group:BUNDLE 0 1',
  'm=audio 9 UDP/TLS/RTP/SAVPF 111',
  'a=mid:0',
  'a=ice-ufrag:EsAw',
  'a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1',
  'a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 ufrag EsAw network-id 1',
  'a=end-of-candidates',
  '',
].join('\r\n')

/** What a peer trickles over HTTP. */
export const target: FuzzTarget = {
  name: 'ice-fragment',
  seeds: () => [Buffer.from(FRAGMENT), Buffer.from(FRAGMENT.replaceAll('\r', ''))],
  run: (input) => {
    const { iceUfrag, candidates } = parseIceFragment(Buffer.from(input).toString('utf8'))
    if (candidates.length > 200 || (iceUfrag?.length ?? 0) > 4096) throw new RangeError('beyond its bounds')
  },
}
