import { describe, expect, it } from 'vitest'
import type { AudioCodec, Track, VideoCodec } from '../../src/media/track.ts'
import { formatFor } from '../../src/recorder/format-choice.ts'
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
    ['mp4', [video('vp8'), audio('pcm-alaw')]],
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
  expect(formatFor('mkv', [audio('pcm-mulaw')])).toBe('mp4')
})
