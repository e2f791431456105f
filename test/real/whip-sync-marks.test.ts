import { describe, expect, it } from 'vitest'
import { markedMedia } from '../peers/marked-media.ts'
import { median, soundOffsets, syncMarks, zeroOfPictures } from '../peers/sync-marks.ts'

const PERIOD_MS = 1037
const SECONDS = 8
// not Opus in Matroska: ffmpeg 5.1 writes it 6.5 ms too early
const KINDS = [
  { name: 'vp8-flac.mkv', args: '-c:v libvpx -deadline realtime -cpu-used 8 -b:v 300k -c:a flac' },
  { name: 'vp9-opus.mp4', args: '-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -b:v 300k -c:a libopus -b:a 64k' },
  { name: 'h264-aac.mp4', args: '-c:v libx264 -preset ultrafast -bf 2 -c:a aac -b:a 64k' },
  { name: 'h264-aac.flv', args: '-c:v libx264 -preset ultrafast -c:a aac -b:a 64k' },
]

describe('beeps and flashes, read from a file that ffmpeg made', () => {
  it.each(KINDS.flatMap((kind) => [37, -121].map((lateMs) => ({ ...kind, lateMs }))))(
    '$name, sound $lateMs ms late',
    async ({ name, args, lateMs }) => {
      const options = { seconds: SECONDS, periodMs: PERIOD_MS, soundLateMs: lateMs, args }
      const marks = await syncMarks(await markedMedia(`marks${lateMs}-${name}`, options), 0)
      expect(marks.complaints).toBe('')
      expect(marks.pictures).toHaveLength(SECONDS * 25)
      expect(marks.pictures.filter(({ madeAtMs }) => madeAtMs === undefined)).toEqual([])
      expect(marks.pictures.filter(({ isFlash }) => isFlash).length).toBeGreaterThan(15)
      const offsets = soundOffsets(marks, PERIOD_MS)
      expect(offsets.length).toBeGreaterThanOrEqual(6)
      const late = offsets.map((each) => each.lateMs)
      expect(Math.abs(median(late) - lateMs)).toBeLessThanOrEqual(2)
      expect(Math.max(...late) - Math.min(...late)).toBeLessThanOrEqual(4)
      expect(Math.abs(zeroOfPictures(marks))).toBeLessThanOrEqual(90)
    },
  )

  it('knows a picture that was put together wrongly', async () => {
    const options = {
      seconds: 2,
      periodMs: PERIOD_MS,
      soundLateMs: 0,
      args: '-c:v libx264 -preset ultrafast -c:a aac -vf tblend=all_mode=average',
    }
    const marks = await syncMarks(await markedMedia('marks-blended.mkv', options), 0)
    expect(marks.pictures.filter(({ madeAtMs }) => madeAtMs === undefined).length).toBeGreaterThan(20)
  })
})
