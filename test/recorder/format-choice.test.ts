import { describe, expect, it } from 'vitest'
import type { AudioCodec, Track, VideoCodec } from '../../src/media/track.ts'
import { chooseFormat, formatFor } from '../../src/recorder/format-choice.ts'
import { aac, h264 } from './rig.ts'

const video = (codec: VideoCodec): Track => ({ ...h264, codec })
const audio = (codec: AudioCodec): Track => ({ ...aac, codec })

describe('the container that is chosen by itself', () => {
  it.each([
    ['mp4', [video('h264'), audio('aac')]],
    ['mp4', [video('hevc')]],
    ['mp4', [video('h264'), audio('opus')]],
    ['mp4', [video('av1'), audio('aac')]],
    ['mp4', [audio('aac')]],
    ['webm', [video('vp8'), audio('opus')]],
    ['webm', [video('vp9')]],
    ['webm', [video('av1'), audio('opus')]],
    ['webm', [audio('opus')]],
    ['mkv', [video('vp8'), audio('aac')]],
    ['mkv', [video('vp8'), audio('pcm-alaw')]],
  ] as const)('is %s for %j', (format, tracks) => {
    expect(formatFor('auto', tracks)).toBe(format)
  })

  it('stays what it was as long as that will do', () => {
    expect(formatFor('auto', [video('av1'), audio('opus')], 'mp4')).toBe('mp4')
    expect(formatFor('auto', [video('h264')], 'webm')).toBe('mp4')
  })
})

it('an asked container gives way to one that holds everything', () => {
  expect(formatFor('webm', [video('vp9'), audio('opus')])).toBe('webm')
  expect(formatFor('webm', [video('h264'), audio('opus')])).toBe('mkv')
  expect(formatFor('flv', [audio('pcm-s16le')])).toBe('mkv')
  expect(formatFor('webm', [audio('pcm-mulaw')])).toBe('mkv')
})

it('alpha goes into Matroska, whatever was asked for', () => {
  const seeThrough: Track = { ...h264, codec: 'vp9', hasAlpha: true }
  expect(formatFor('auto', [seeThrough])).toBe('webm')
  expect(formatFor('auto', [seeThrough, audio('opus')], 'mp4')).toBe('webm')
  for (const asked of ['mp4', 'flv', 'mkv'] as const) expect(formatFor(asked, [seeThrough])).toBe('mkv')
})

describe('sound alone', () => {
  const none = { asked: 'mkv', askedAudio: 'auto', tracks: [audio('opus')], video: 'none' } as const

  it('goes into the format asked for it, unless that cannot hold it or pictures are on their way', () => {
    expect(chooseFormat({ ...none, askedAudio: 'ogg' })).toEqual({ format: 'ogg', isSoundAlone: true })
    expect(chooseFormat({ ...none, askedAudio: 'weba' })).toEqual({ format: 'webm', isSoundAlone: true })
    expect(chooseFormat({ ...none, askedAudio: 'mp4' })).toEqual({ format: 'mp4', isSoundAlone: true })
    expect(chooseFormat({ ...none, askedAudio: 'ogg', video: 'possible' }).format).toBe('ogg')
    expect(chooseFormat({ ...none, askedAudio: 'ogg', video: 'flowing' })).toEqual({
      format: 'mkv',
      isSoundAlone: false,
    })
    expect(chooseFormat({ ...none, askedAudio: 'ogg', tracks: [audio('opus'), audio('opus')] }).format).toBe('mkv')
    expect(chooseFormat({ ...none, askedAudio: 'weba', tracks: [audio('aac')] }).format).toBe('mkv')
    expect(chooseFormat({ ...none, askedAudio: 'ogg', tracks: [video('vp8'), audio('opus')] }).format).toBe('mkv')
  })

  it('is taken for sound alone only where no pictures can come', () => {
    expect(chooseFormat({ ...none, asked: 'auto' })).toEqual({ format: 'webm', isSoundAlone: true })
    expect(chooseFormat({ ...none, asked: 'auto', video: 'possible' })).toEqual({ format: 'webm', isSoundAlone: false })
  })

  it('in Ogg does not bind what comes after it', () => {
    const next = { ...none, asked: 'auto', tracks: [video('h264'), audio('opus')], last: 'ogg' } as const
    expect(chooseFormat(next)).toEqual({ format: 'mp4', isSoundAlone: false })
  })
})
