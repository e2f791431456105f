import { createHash } from 'node:crypto'
import { openContainer } from '../container/formats.ts'
import type { ContainerReader, Sample } from '../container/reader.ts'
import { BOUNDED_FORMATS, type SampleBound } from '../container/sample-bound.ts'
import { SourceWindow } from '../container/source-window.ts'
import { toMs } from '../media/clock.ts'
import type { ByteSource } from '../media/ports.ts'
import type { Replay, ReplayedFrame } from '../media/replay.ts'

/** Samples at the end of a file that are compared; ten seconds of any picture and sound have fewer. */
const MAX_TAIL = 4096
/** And no more than these, bytes. */
const MAX_TAIL_BYTES = 64 * 1024 * 1024
/** What two conversions of a time may differ by, ms; frames are further apart. */
const ROUNDING_MS = 2

/** Where a file ends for those who see what comes again behind it. */
export interface Seam {
  readonly bound: SampleBound
  /** Frames beyond it. */
  readonly frames: number
  /** Not one frame is before it. */
  readonly isAll: boolean
}

/** A sample near the end of a file. */
type TailSample = {
  readonly sample: Sample
  readonly ms: number
  /** Which of its track's samples it is, from 0. */
  readonly index: number
}
/** The end of a file, and how many samples each track has in all. */
type Tail = { readonly samples: readonly TailSample[]; readonly counts: ReadonlyMap<number, number> }

/**
 * Finds in a torn file where the first frame stands that comes again, of each track. Nothing is left out but what comes again
 * for certain, byte for byte and at its time, and only where it is all that the track has from there on. Undefined where the
 * file cannot be bounded, where nothing comes again, or where it cannot be told what does.
 */
export async function seamOf(source: ByteSource, replays: readonly Replay[]): Promise<Seam | undefined> {
  const reader = await openContainer(source).catch(() => undefined)
  if (reader === undefined || reader.finalised || !BOUNDED_FORMATS.has(reader.format)) return undefined
  const tail = await tailOf(reader)
  const window = new SourceWindow(source)
  const bound = new Map<number, number>()
  let frames = 0
  for (const replay of replays) {
    const again = await replayedIn(tail, replay, window)
    for (const [trackId, count] of tracksOf(again)) {
      const kept = (tail.counts.get(trackId) ?? 0) - count
      const isWhole = again.every(({ sample, index }) => sample.track.id !== trackId || index >= kept)
      if (!isWhole || bound.has(trackId)) return undefined
      bound.set(trackId, kept)
      frames += count
    }
  }
  if (frames === 0) return undefined
  let all = 0
  for (const count of tail.counts.values()) all += count
  return { bound, frames, isAll: frames === all }
}

async function tailOf(reader: ContainerReader): Promise<Tail> {
  let samples: TailSample[] = []
  const counts = new Map<number, number>()
  for await (const sample of reader.samples()) {
    const { track, pts } = sample
    const index = counts.get(track.id) ?? 0
    counts.set(track.id, index + 1)
    samples.push({ sample, ms: toMs(pts, track.timescale), index })
    if (samples.length >= 2 * MAX_TAIL) samples = samples.slice(-MAX_TAIL)
  }
  samples = samples.slice(-MAX_TAIL)
  let bytes = 0
  const from = samples.findLastIndex(({ sample: { size } }) => (bytes += size) > MAX_TAIL_BYTES)
  return { samples: samples.slice(from + 1), counts }
}

/** Those samples of the file that `replay` brings again. */
async function replayedIn({ samples }: Tail, replay: Replay, window: SourceWindow): Promise<TailSample[]> {
  const offsetMs = await offsetOf(samples, replay, window)
  if (offsetMs === undefined) return []
  const byTime = new Map<number, ReplayedFrame[]>()
  for (const frame of replay) {
    const ms = Math.round(frame.ms + offsetMs)
    byTime.set(ms, [...(byTime.get(ms) ?? []), frame])
  }
  const found: TailSample[] = []
  for (const each of samples) {
    for (let ms = each.ms - ROUNDING_MS; ms <= each.ms + ROUNDING_MS; ms++) {
      const frames = byTime.get(ms) ?? []
      const at = await indexOf(frames, each.sample, window)
      if (at < 0) continue
      frames.splice(at, 1)
      found.push(each)
      break
    }
  }
  return found
}

/** Which of `frames` a sample is: keyframes may have parameter sets in front of what was sent. -1: none. */
async function indexOf(frames: readonly ReplayedFrame[], sample: Sample, window: SourceWindow): Promise<number> {
  for (const [i, { kind, sizeBytes, sha1 }] of frames.entries()) {
    const extra = sample.size - sizeBytes
    if (kind !== sample.track.kind || extra < 0 || (extra > 0 && !(kind === 'video' && sample.key))) continue
    if ((await sha1Of(window, sample.offset + extra, sizeBytes)) === sha1) return i
  }
  return -1
}

/** How much later than by its source's clock a frame is in the file, ms: what most of those say that are there only once. */
async function offsetOf(samples: readonly TailSample[], replay: Replay, window: SourceWindow) {
  const frames = new Map<string, ReplayedFrame | undefined>()
  const sizes = new Set<number>()
  for (const frame of replay) {
    frames.set(frame.sha1, frames.has(frame.sha1) ? undefined : frame)
    sizes.add(frame.sizeBytes)
  }
  const votes = new Map<number, number>()
  for (const { sample, ms } of samples) {
    if (!sizes.has(sample.size)) continue
    const frame = frames.get(await sha1Of(window, sample.offset, sample.size))
    if (frame === undefined) continue
    const offsetMs = ms - frame.ms
    votes.set(offsetMs, (votes.get(offsetMs) ?? 0) + 1)
  }
  let best: number | undefined
  for (const [offsetMs, count] of votes) if (best === undefined || count > (votes.get(best) ?? 0)) best = offsetMs
  return best
}

async function sha1Of(window: SourceWindow, offset: number, size: number): Promise<string> {
  if (!(await window.load(offset, size))) return ''
  return createHash('sha1').update(window.view(offset, size)).digest('base64')
}

function tracksOf(again: readonly TailSample[]): Map<number, number> {
  const counts = new Map<number, number>()
  for (const { sample } of again) counts.set(sample.track.id, (counts.get(sample.track.id) ?? 0) + 1)
  return counts
}
