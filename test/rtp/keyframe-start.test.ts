import { describe, expect, it } from 'vitest'
import { random } from '../../fuzz/mutate.ts'
import { beginsKeyframe, beginsStream, type ForwardCodec } from '../../src/rtp/keyframe-start.ts'

const CASES: readonly (readonly [ForwardCodec, string, boolean, string])[] = [
  ['h264', '6742c01f', true, 'SPS'],
  ['h264', '6588840a', true, 'IDR slice'],
  ['h264', '419a0012', false, 'other slice'],
  ['h264', '7800046742c01f000268ce', true, 'STAP-A with SPS'],
  ['h264', '780002419a0002419a', false, 'STAP-A without'],
  ['h264', '7c8588', true, 'FU-A, start of IDR'],
  ['h264', '7c0588', false, 'FU-A, middle of IDR'],
  ['h264', '7c8188', false, 'FU-A, start of another'],
  ['h265', '40010c01', true, 'VPS'],
  ['h265', '2601af08', true, 'IDR_W_RADL'],
  ['h265', '0201d000', false, 'TRAIL_R'],
  ['h265', '6001000442010101', true, 'AP with SPS'],
  ['h265', '62019300', true, 'FU, start of IDR'],
  ['h265', '62011300', false, 'FU, middle of IDR'],
  ['vp8', '1000', true, 'keyframe'],
  ['vp8', '1001', false, 'interframe'],
  ['vp8', '90e0801100e00000', true, 'keyframe with everything'],
  ['vp8', '90e0801100e00100', false, 'interframe with everything'],
  ['vp8', '0000', false, 'not the start'],
  ['vp8', '1100', false, 'another partition'],
  ['vp9', '8801', true, 'keyframe'],
  ['vp9', 'c801', false, 'with references'],
  ['vp9', '8001', false, 'not the start'],
  ['vp9', 'a8800100', true, 'base layer'],
  ['vp9', 'a8800102', false, 'upper layer'],
  ['av1', '180a0b', true, 'new coded video sequence'],
  ['av1', '100a0b', false, 'another'],
  ['audio', 'fc', true, 'sound'],
]

describe('the start of a keyframe', () => {
  it.each(CASES)('%s %s: %s (%s)', (codec, payload, expected) => {
    expect(beginsKeyframe(codec, new Uint8Array(Buffer.from(payload, 'hex')))).toBe(expected)
  })

  it.each([
    ['h264', '6742c01f', true],
    ['h264', '7800046742c01f000268ce', true],
    ['h264', '7c8588', false],
    ['h265', '40010c01', true],
    ['h265', '62019300', false],
    ['vp8', '1000', true],
  ] as const)('%s %s begins a stream: %s', (codec, payload, expected) => {
    expect(beginsStream(codec, Buffer.from(payload, 'hex'))).toBe(expected)
  })

  it('is looked for in anything', () => {
    const pick = random(1)
    for (let i = 0; i < 20_000; i++) {
      const payload = Uint8Array.from({ length: pick(12) }, () => pick(256))
      for (const codec of ['h264', 'h265', 'vp8', 'vp9', 'av1'] as const)
        expect(typeof beginsKeyframe(codec, payload)).toBe('boolean')
    }
  })
})
