import { sep } from 'node:path'
import { streamAddress } from '../src/live/address.ts'
import { FilenameTemplate, pathWithin } from '../src/recorder/naming.ts'
import { isReserved } from '../src/recorder/safe-name.ts'
import { appName, queryOf, splitQuery } from '../src/rtmp/stream-name.ts'
import { parseRtmpUrl } from '../src/rtmp/url.ts'
import { tolerated } from '../test/codec/tolerated.ts'
import type { FuzzTarget } from './target.ts'

const ROOT = '/recordings'
const MAX_SEGMENT_BYTES = 255
const HARMFUL = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\\:*?"<>|\u2044\u2215\uff0f]/u
const TEMPLATES = [
  '{room}_{participant}_{timestamp}',
  '{room}/{participant}',
  '{participant}',
  '{room}/{codec}{part}',
].map((text) => new FilenameTemplate(text))
const SEEDS = [
  'live\ntest?token=abc',
  '/a/../../../etc/passwd/\n..\\..\\windows\\x.mp4',
  '.\n..',
  'con\naux.mp4',
  'nul.tar.gz\nCOM¹',
  'r\u202emp4.exe\n\u2066a\u2069\u200b',
  'e\u0301\u0301\u0301\n\u{1f469}\u200d\u{1f680}',
  '\u2024\u2024\u2215etc\nｆｏｏ．．／',
  ' trailing. . \n-rf',
  `${'x'.repeat(300)}\n${'ä'.repeat(90)}`,
  'rtmp://u:p@[::1]:1935/live/%2e%2e%2fx?token=%00\n%',
]

/** Room and participant on two lines of an input: whatever they are, the file lies where it should and has a tame name. */
export const target: FuzzTarget = {
  name: 'names',
  seeds: () => SEEDS.map((text) => Buffer.from(text)),
  run(input) {
    const [app, ...rest] = Buffer.from(input).toString('utf8').split('\n')
    const text = rest.join('\n')
    tolerated(() => parseRtmpUrl(app))
    queryOf(text, app, text).get('token')
    const address = tolerated(() => streamAddress(appName(app), splitQuery(text).name))
    // Even a name that no stream may have must never become a bad path.
    for (const names of [address, { room: app, participant: text }]) if (names !== undefined) check(names)
  },
}

function check(names: { room: string; participant: string }): void {
  const facts = { ...names, startedAtMs: 0, codec: 'h264', resolution: '640x360', part: 2 }
  for (const template of TEMPLATES) {
    const path = pathWithin(ROOT, template.stem(facts), '.mp4', 2)
    const segments = path.slice(ROOT.length + 1).split(sep)
    if (!path.startsWith(ROOT + sep) || segments.length > 2) throw new RangeError(`outside: ${path}`)
    for (const segment of segments) {
      const isBad = segment === '' || segment.startsWith('.') || isReserved(segment) || HARMFUL.test(segment)
      if (isBad || Buffer.byteLength(segment) > MAX_SEGMENT_BYTES || !segment.isWellFormed()) {
        throw new RangeError(`a bad name: ${JSON.stringify(path)}`)
      }
    }
  }
}
