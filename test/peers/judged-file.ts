import { MARK_PERIOD_MS } from './chromium-publisher.ts'
import { packetsOf } from './ffmpeg.ts'
import { median, type SyncMarks, soundOffsets, syncMarks, zeroOfPictures } from './sync-marks.ts'

/** A recorded file of a `PublisherPage`, by what is to be seen and heard in it. */
export interface JudgedFile {
  readonly marks: SyncMarks
  /** Of video, in the container. */
  readonly videoPackets: number
  /** When each picture was made, ms since 1970, in the order in which they are shown; torn ones left out. */
  readonly madeAtMs: readonly number[]
  /** Pictures that are not as they were made. */
  readonly tornPictures: number
  /** Steps from picture to picture that are long even for a browser that is short of time, ms. */
  readonly holesMs: readonly number[]
  /** Pictures that were made before, or with, the one shown before. */
  readonly misplacedPictures: number
  /** How much later than the picture each beep is, ms. */
  readonly soundLateMs: readonly number[]
  /** The middle of those. */
  readonly medianLateMs: number
  /** The share of beeps within `MAX_OFFSET_MS`. */
  readonly inSyncShare: number
  /** What the wall clock said at the file's zero, ms since 1970. */
  readonly zeroMs: number
}

/** How far sound and picture may be apart. */
export const MAX_OFFSET_MS = 20
const HOLE_MS = 1500

/** Decodes a file and looks at it. */
export async function judged(path: string, aroundMs = Date.now()): Promise<JudgedFile> {
  const [marks, packets] = await Promise.all([syncMarks(path, aroundMs), packetsOf(path)])
  const madeAtMs = marks.pictures.flatMap((picture) => picture.madeAtMs ?? [])
  const steps = madeAtMs.slice(1).map((at, i) => at - madeAtMs[i])
  const soundLateMs = soundOffsets(marks, MARK_PERIOD_MS).map(({ lateMs }) => lateMs)
  const zeroMs = zeroOfPictures(marks)
  return {
    marks,
    videoPackets: packets.filter(({ type }) => type === 'video').length,
    madeAtMs,
    tornPictures: marks.pictures.length - madeAtMs.length,
    holesMs: steps.filter((step) => step > HOLE_MS),
    misplacedPictures: steps.filter((step) => step <= 0).length,
    soundLateMs,
    medianLateMs: median(soundLateMs),
    inSyncShare: soundLateMs.filter((lateMs) => Math.abs(lateMs) <= MAX_OFFSET_MS).length / soundLateMs.length,
    zeroMs,
  }
}
