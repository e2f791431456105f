import { expect } from 'vitest'
import type { SoundClock } from './browser/publisher-page.ts'
import { MARK_PERIOD_MS } from './chromium-publisher.ts'
import { packetsOf } from './ffmpeg.ts'
import { median, type SoundOffset, type SyncMarks, soundOffsets, syncMarks, zeroOfPictures } from './sync-marks.ts'

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
  /** How much later than the picture each beep is. */
  readonly sound: readonly SoundOffset[]
  /** What the wall clock said at the file's zero, ms since 1970. */
  readonly zeroMs: number
}

/** What is granted where the machine is busy, ms: below, a browser is taken to have been on time, and every beep counts. */
export const STARVED_MS = 5
/** How far sound and picture may be apart. */
export const MAX_OFFSET_MS = 20
const HOLE_MS = 1500
/** Of beeps, that may be further apart; and one, where there are few. */
const OUTLIERS = 0.05
/** Where the browser had hardly time for pictures, fewer beeps with pictures around them tell nothing. */
const FEW_BEEPS = 5
/** Beeps of several files that lie no further apart are late by the same, ms: where the browser was on time, and where it was not. */
const ALIKE_MS = 15
const ALIKE_STARVED_MS = 40
/** Steps of the sound thread's clock that still leave beeps where they belong, ms. */
const STEADY_MS = 4
const RATE_HZ = 48_000

/** Decodes a file and looks at it. */
export async function judged(path: string, aroundMs = Date.now()): Promise<JudgedFile> {
  const [marks, packets] = await Promise.all([syncMarks(path, aroundMs), packetsOf(path)])
  const madeAtMs = marks.pictures.flatMap((picture) => picture.madeAtMs ?? [])
  const steps = madeAtMs.slice(1).map((at, i) => at - madeAtMs[i])
  const zeroMs = zeroOfPictures(marks)
  return {
    marks,
    videoPackets: packets.filter(({ type }) => type === 'video').length,
    madeAtMs,
    tornPictures: marks.pictures.length - madeAtMs.length,
    holesMs: steps.filter((step) => step > HOLE_MS),
    misplacedPictures: steps.filter((step) => step <= 0).length,
    sound: soundOffsets(marks, MARK_PERIOD_MS),
    zeroMs,
  }
}

/** How beeps of a file are looked at. */
export interface SyncTerms {
  /** How the page's sound thread ran: beeps that it put where they do not belong do not count. */
  readonly clocks: readonly SoundClock[]
  /** What is granted to a browser that had to wait for a processor, ms. */
  readonly grantedMs: number
  /** What the same page published over connections of its own, by `together`: what is late in all alike was late before. */
  readonly late?: ReadonlySet<number>
  /** Only beeps that were to be heard in this time, ms since 1970. */
  readonly fromMs?: number
  readonly toMs?: number
}

/**
 * The beeps that are too late, or too early, by the same in several files: each has clocks and reports of its own, and common to them
 * is only the page. Where there is no processor for it, Chromium's sound comes up to 200 ms late for some seconds. Where it was on time
 * it may still begin some 30 ms early, but not for most of the time: what is off for longer is not the page's.
 */
export function together(files: readonly JudgedFile[], grantedMs: number): ReadonlySet<number> {
  const all = new Map<number, number[]>()
  for (const { sound } of files) {
    for (const { atMs, lateMs } of sound) all.set(atMs, [...(all.get(atMs) ?? []), lateMs])
  }
  const isStarved = grantedMs > STARVED_MS
  const alikeMs = isStarved ? ALIKE_STARVED_MS : ALIKE_MS
  const found = [...all].filter(([, lateMs]) => {
    const [least, greatest] = [Math.min(...lateMs), Math.max(...lateMs)]
    return lateMs.length > 1 && greatest - least < alikeMs && Math.abs(median(lateMs)) > MAX_OFFSET_MS + grantedMs
  })
  return new Set(isStarved || found.length * 2 <= all.size ? found.map(([atMs]) => atMs) : [])
}

/** Sound and picture are together: in the middle, and nearly every beep where the browser was on time. Returns what was found, for people. */
export function expectInSync(
  { sound }: JudgedFile,
  { clocks, grantedMs, late, fromMs = 0, toMs = Number.POSITIVE_INFINITY }: SyncTerms,
): string {
  const those = sound.filter(({ atMs }) => atMs >= fromMs && atMs < toMs)
  const isKnown = ({ atMs }: SoundOffset) => isSteady(clocks, atMs) && late?.has(atMs) !== true
  const known = those.filter(isKnown).map(({ lateMs }) => lateMs)
  const limitMs = MAX_OFFSET_MS + grantedMs
  const outliers = known.filter((lateMs) => Math.abs(lateMs) > limitMs)
  const said =
    `sound ${median(known).toFixed(1)} ms late, from ${Math.min(...known).toFixed(1)} to ${Math.max(...known).toFixed(1)}, ` +
    `by ${known.length} of ${those.length} beeps; granted ${grantedMs.toFixed(1)} ms`
  expect(those.length, 'beeps').toBeGreaterThan(0)
  if (known.length < (grantedMs > STARVED_MS ? FEW_BEEPS : 1)) return said
  expect(Math.abs(median(known)), said).toBeLessThanOrEqual(limitMs)
  if (grantedMs > STARVED_MS) return said
  expect(outliers.length, `${said}: ${outliers}`).toBeLessThanOrEqual(Math.max(1, known.length * OUTLIERS))
  return said
}

/** Whether the sound thread's clock stood still around that moment: a beep goes by what was measured before. */
function isSteady(clocks: readonly SoundClock[], atMs: number): boolean {
  const next = clocks.findIndex((clock) => endOf(clock) > atMs)
  const around = clocks.slice(Math.max(0, next - 1), next + 2).map(({ zeroMs }) => zeroMs)
  return next >= 0 && Math.max(...around) - Math.min(...around) <= STEADY_MS
}

function endOf({ zeroMs, frame }: SoundClock): number {
  return zeroMs + (frame * 1000) / RATE_HZ
}
