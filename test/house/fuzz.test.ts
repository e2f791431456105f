import { setTimeout as later } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { attack } from '../../fuzz/attack.ts'
import type { FuzzTarget } from '../../fuzz/target.ts'
import { allTargets } from '../../fuzz/targets.ts'
import { MalformedError } from '../../src/media/errors.ts'

/** The short run of `npm run fuzz`: the committed corpus and some thousand fresh inputs. */
const RUNS = 3000
const targets = await allTargets()

describe('fuzzing', () => {
  it('covers every parser of bytes from outside', () => {
    const names = targets.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
    for (const codec of ['aac', 'opus', 'mp3', 'ac3', 'flac', 'av1', 'h264', 'hevc', 'track', 'vpx']) {
      expect(names).toContain(`codec-${codec}`)
    }
    for (const part of ['handshake', 'chunks', 'session', 'client', 'media']) expect(names).toContain(`rtmp-${part}`)
    for (const format of ['flv', 'mp4', 'matroska', 'ogg']) expect(names).toContain(`${format}-reader`)
    for (const codec of ['h264', 'hevc', 'vp8', 'vp9', 'av1', 'opus', 'pcm-alaw', 'pcm-mulaw', 'pcm-s16le']) {
      expect(names).toContain(`rtp-depacketize-${codec}`)
    }
    const webrtc = ['rtp', 'rtcp', 'sdp', 'ice-candidate', 'ice-fragment', 'signalling', 'media-link', 'webrtc-session']
    expect(names).toEqual(expect.arrayContaining(webrtc))
    expect(names).toEqual(expect.arrayContaining(['amf0', 'flv-tags', 'names', 'token']))
  })

  it.each(targets)('$name neither crashes nor hangs nor eats memory', { timeout: 120_000 }, async (target) => {
    const { finding, inputs } = await attack(target, RUNS, 20_261_121)
    expect(finding?.reason).toBeUndefined()
    expect(inputs).toBeGreaterThan(RUNS)
  })
})

describe('the attack itself', () => {
  const against = (run: FuzzTarget['run']) => {
    const target: FuzzTarget = { name: 'made-up', seeds: () => [Uint8Array.of(1, 2, 3, 4)], run }
    return attack(target, 2000, 1)
  }

  it('passes what refuses in the right way', async () => {
    const refusing = against(() => {
      throw new MalformedError('made-up', 'no')
    })
    expect(await refusing).toMatchObject({ finding: undefined, inputs: 2001, refused: 2001 })
  })

  it('sees any other error, also a later one', async () => {
    const sync = await against((input) => {
      if (input[0] === 0) throw new RangeError('boom')
    })
    expect(sync.finding?.reason).toContain('boom')
    expect(sync.finding?.input?.[0]).toBe(0)
    const async = await against(async () => {
      throw new TypeError('bang')
    })
    expect(async.finding?.reason).toContain('bang')
  })

  it('sees an input that takes too long', async () => {
    const { finding } = await against(async () => {
      await later(1100)
    })
    expect(finding?.reason).toMatch(/took 1\d\d\d ms/)
  })

  it('sees one input that takes much memory', async () => {
    let taken: Uint8Array | undefined
    const { finding } = await against((input) => {
      if (input.length > 20) taken = new Uint8Array(64 * 1024 * 1024)
    })
    expect(finding?.reason).toMatch(/took 67 MB of memory/)
    expect(taken).toBeDefined()
  })

  it('sees a leak that grows slowly, in the heap and beside it', async () => {
    const objects: object[] = []
    const heap = await against(() => {
      objects.push(Array.from({ length: 500 }, (_, i) => i + 0.5))
    })
    expect(heap.finding).toMatchObject({ input: undefined, reason: expect.stringContaining('MB more are held') })
    const buffers: Buffer[] = []
    const beside = await against(() => {
      buffers.push(Buffer.alloc(4000))
    })
    expect(beside.finding?.reason).toContain('MB more are held')
  })
})
