import { expect, it } from 'vitest'
import { MalformedError } from '../../src/media/errors.ts'
import { parseIceFragment } from '../../src/webrtc/sdp/ice-fragment.ts'

/** RFC 9725 §4.3.2, its example. */
const TRICKLED = `a=group:BUNDLE 0 1
m=audio 9 UDP/TLS/RTP/SAVPF 111
a=mid:0
a=ice-ufrag:EsAw
a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1
a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 ufrag EsAw network-id 1
a=candidate:473322822 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active generation 0 ufrag EsAw network-id 1
a=end-of-candidates
`

it('reads candidates and the ICE session they belong to', () => {
  const { iceUfrag, candidates } = parseIceFragment(TRICKLED.replaceAll('\n', '\r\n'))
  expect(iceUfrag).toBe('EsAw')
  expect(candidates).toHaveLength(2)
  expect(candidates[0]).toBe(
    'candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 ufrag EsAw network-id 1',
  )
  expect(parseIceFragment('a=end-of-candidates').candidates).toEqual([])
  expect(parseIceFragment(`v=0\ns=-\n${TRICKLED}a=ice-ufrag:later\n`).iceUfrag).toBe('EsAw')
})

it('is bounded, and says which line is wrong', () => {
  const wrong: readonly (readonly [string, string])[] = [
    ['', 'is empty'],
    ['\r\n\r\n', 'is empty'],
    ['a=mid:0\nhello', 'line 2: not of the form'],
    [`a=x\na=${'x'.repeat(5000)}`, 'line 2: longer than'],
    ['a=candidate:1\n'.repeat(201), 'line 201: more than 200 candidates'],
    ['a=x\n'.repeat(7000), 'too many lines'],
  ]
  for (const [text, problem] of wrong) {
    expect(() => parseIceFragment(text)).toThrow(MalformedError)
    expect(() => parseIceFragment(text)).toThrow(problem)
  }
  expect(parseIceFragment(`a=candidate:${'1'.repeat(600)}\na=mid:0`).candidates).toEqual([])
})
