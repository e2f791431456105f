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
  /** Steps between pictures that are longer than `LONG_STEP_MS`, or not forward, ms. */
  readonly holesMs: readonly number[]
  /** How much later than the picture each beep is, ms. */
  readonly soundLateMs: readonly number[]
  /** The middle of those. */
  readonly medianLateMs: number
  /** How far the time of any picture is from when it was made, seen from the middle one, ms. */
  readonly unsteadyMs: number
  /** What the wall clock said at the file's zero, ms since 1970. */
  readonly zeroMs: number
}

/** Longer than what is skipped where a browser is short of time for a moment: four frames, ms. */
const LONG_STEP_MS = 150

/** Decodes a file and looks at it. */
export async function judged(path: string, aroundMs = Date.now()): Promise<JudgedFile> {
  const [marks, packets] = await Promise.all([syncMarks(path, aroundMs), packetsOf(path)])
  const madeAtMs = marks.pictures.flatMap((picture) => picture.madeAtMs ?? [])
  const steps = madeAtMs.slice(1).map((at, i) => at - madeAtMs[i])
  const soundLateMs = soundOffsets(marks, MARK_PERIOD_MS).map(({ lateMs }) => lateMs)
  const zeroMs = zeroOfPictures(marks)
  const offMs = marks.pictures.map(({ madeAtMs: at, ptsMs }) => (at === undefined ? 0 : at - ptsMs - zeroMs))
  return {
    marks,
    videoPackets: packets.filter(({ type }) => type === 'video').length,
    madeAtMs,
    tornPictures: marks.pictures.length - madeAtMs.length,
    holesMs: steps.filter((step) => step > LONG_STEP_MS || step <= 0),
    soundLateMs,
    medianLateMs: median(soundLateMs),
    unsteadyMs: Math.max(...offMs.map(Math.abs)),
    zeroMs,
  }
}
