import { describe, expect, it } from 'vitest'
import { TrackBook } from '../../src/recorder/track-book.ts'
import { aac, h264, h264Smaller } from './rig.ts'

describe('the book of tracks', () => {
  it('leaves those of the first publisher as they are', () => {
    const book = new TrackBook()
    expect([h264, h264Smaller, aac].map((track) => book.resolve(track))).toEqual([h264, h264Smaller, aac])
  })

  it('goes on with the very same track where nothing has changed, whatever its id and clock now', () => {
    const book = new TrackBook()
    for (const track of [h264, aac]) book.resolve(track)
    book.nextSession()
    expect(book.resolve({ ...aac, id: 7, timescale: 48_000 })).toBe(aac)
    expect(book.resolve({ ...h264, id: 8, epoch: 3, timescale: 90_000 })).toBe(h264)
  })

  it('counts epochs on for a new configuration, on the old clock', () => {
    const book = new TrackBook()
    book.resolve(h264)
    book.nextSession()
    const next = book.resolve({ ...h264Smaller, epoch: 0, timescale: 90_000 })
    expect(next).toEqual({ ...h264Smaller, epoch: 1, timescale: 1000 })
    expect(book.resolve({ ...h264, epoch: 1, timescale: 90_000 })).toEqual({ ...h264, epoch: 2 })
  })

  it('tells tracks of one kind by label, then by id, then by order', () => {
    const camera = { ...h264, id: 1, label: 'camera' }
    const screen = { ...h264, id: 3, label: 'screen' }
    const labelled = new TrackBook()
    for (const track of [camera, screen]) labelled.resolve(track)
    labelled.nextSession()
    expect(labelled.resolve({ ...screen, id: 1 })).toBe(screen)
    expect(labelled.resolve({ ...camera, id: 2 })).toBe(camera)

    const plain = new TrackBook()
    const others = [1, 3].map((id) => ({ ...h264, id }))
    for (const track of others) plain.resolve(track)
    plain.nextSession()
    expect(plain.resolve({ ...h264, id: 3 })).toBe(others[1])
    expect(plain.resolve({ ...h264, id: 9 })).toBe(others[0])
  })

  it('gives what is new an id that nothing had', () => {
    const book = new TrackBook()
    for (const track of [h264, aac]) book.resolve(track)
    book.nextSession()
    book.resolve(h264)
    expect(book.resolve({ ...h264, id: 2 })).toEqual({ ...h264, id: 3 })
    expect(book.resolve({ ...h264, id: 12 })).toEqual({ ...h264, id: 12 })
  })
})
