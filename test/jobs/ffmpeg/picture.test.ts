import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fitBox, parseBox } from '../../../src/jobs/ffmpeg/picture.ts'
import { spriteGrid, writeSpriteVtt } from '../../../src/jobs/ffmpeg/sprite-vtt.ts'

const square = { pixelAspect: 1, isTurned: false }

describe('fitting into a box', () => {
  it.each([
    [1920, 1080, '854x480', 854, 480],
    [1920, 1080, '1280x720', 1280, 720],
    [1280, 720, '1920x1080', 1280, 720],
    [1080, 1920, '1280x720', 720, 1280],
    [1440, 1080, '854x480', 640, 480],
    [2560, 1080, '1920x1080', 1920, 810],
    [641, 361, '1920x1080', 640, 360],
    [3, 3, '854x480', 2, 2],
  ])('%d x %d into %s is %d x %d', (width, height, box, w, h) => {
    expect(fitBox({ width, height, ...square }, parseBox(box))).toEqual({ width: w, height: h })
  })

  it('turns what is shown turned, and counts pixels as wide as they are', () => {
    const box = parseBox('854x480')
    expect(fitBox({ width: 1920, height: 1080, pixelAspect: 1, isTurned: true }, box)).toEqual({
      width: 480,
      height: 854,
    })
    expect(fitBox({ width: 720, height: 576, pixelAspect: 64 / 45, isTurned: false }, box)).toEqual({
      width: 600,
      height: 480,
    })
  })

  it('never enlarges, stays even, in the box, and in shape', () => {
    const side = fc.integer({ min: 2, max: 8000 })
    fc.assert(
      fc.property(
        side,
        side,
        fc.double({ min: 0.25, max: 4, noNaN: true }),
        fc.boolean(),
        (width, height, pixelAspect, isTurned) => {
          const fitted = fitBox({ width, height, pixelAspect, isTurned }, { width: 1280, height: 720 })
          const [w, h, aspect] = isTurned ? [height, width, 1 / pixelAspect] : [width, height, pixelAspect]
          expect(fitted.width % 2 === 0 && fitted.height % 2 === 0).toBe(true)
          expect(fitted.width).toBeLessThanOrEqual(w)
          expect(fitted.height).toBeLessThanOrEqual(h)
          const shown = [fitted.width * aspect, fitted.height]
          const slack = [2 + aspect * 2, 2]
          const box = w * aspect >= h ? [1280, 720] : [720, 1280]
          expect(shown[0]).toBeLessThanOrEqual(Math.max(box[0], 2 * aspect) + slack[0])
          expect(shown[1]).toBeLessThanOrEqual(box[1] + slack[1])
          const scale = Math.min(1, box[0] / (w * aspect), box[1] / h)
          expect(Math.abs(fitted.width - w * scale)).toBeLessThanOrEqual(2)
          expect(Math.abs(fitted.height - h * scale)).toBeLessThanOrEqual(2)
        },
      ),
    )
  })

  it.each(['', '1280', '0x0', '1x1', '1280x', 'x720', '-1x5', '99999x99999', '1280X720'])('%j is no box', (text) => {
    expect(() => parseBox(text)).toThrow(expect.objectContaining({ code: 'TD_LIMIT' }))
  })
})

describe('a sprite sheet', () => {
  const tile = { width: 160, height: 90 }

  it('has a tile every two seconds, or a hundred of them', () => {
    expect(spriteGrid(0.04, tile)).toMatchObject({ count: 1, columns: 1, rows: 1 })
    expect(spriteGrid(21, tile)).toMatchObject({ count: 11, columns: 10, rows: 2, intervalSeconds: 2 })
    expect(spriteGrid(200, tile)).toMatchObject({ count: 100, rows: 10 })
    expect(spriteGrid(36_000, tile)).toMatchObject({ count: 100, intervalSeconds: 360 })
  })

  it('is described without a hole, to the end', () => {
    const vtt = writeSpriteVtt('sprite.jpg', spriteGrid(7205.5, tile), 7205.5)
    const cues = [...vtt.matchAll(/^(\S+) --> (\S+)$/gm)]
    expect(cues).toHaveLength(100)
    for (let i = 1; i < cues.length; i++) expect(cues[i][1]).toBe(cues[i - 1][2])
    expect(cues[0][1]).toBe('00:00:00.000')
    expect(cues[99][2]).toBe('02:00:05.500')
    expect(vtt).toContain('sprite.jpg#xywh=1440,810,160,90\n')
  })
})
