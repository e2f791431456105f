import { iceServerLinks } from '../src/api/webrtc/ice-servers.ts'
import { signallingQuery } from '../src/api/webrtc/signalling-query.ts'
import { tolerated } from '../test/codec/tolerated.ts'
import type { FuzzTarget } from './target.ts'

const SEEDS = [
  '0:camera,1:my screen,2:ü',
  '__proto__:x,constructor:y',
  'stun:stun.example.net:3478',
  'turn:user:p%40ss%22@[2001:db8::1]:3478?transport=udp',
]

/** What stands in the address of a WHIP request, and ICE servers that become a header. */
export const target: FuzzTarget = {
  name: 'signalling',
  seeds: () => SEEDS.map((text) => Buffer.from(text)),
  run(input) {
    const text = Buffer.from(input).toString('utf8')
    const query = tolerated(() => signallingQuery({ labels: text, token: [text] }))
    for (const label of Object.values(query?.labels ?? {})) {
      if (label.length === 0 || label.length > 64 || /\p{Cc}/u.test(label)) throw new RangeError('a bad label')
    }
    const links = iceServerLinks({ urls: [text], turnSecret: 'secret' }, 'standup/alice') ?? ''
    if (/[^\x20-\x7e]/.test(links)) throw new RangeError('a bad header')
  },
}
