import { fromMs } from '../media/clock.ts'

/**
 * When a frame is shown and decoded: in ticks of its track's timescale, or in milliseconds. Any origin will do. The
 * decoding time is the same as the other when absent, which holds for everything but pictures shown out of order.
 */
export type FrameTimes =
  | { readonly pts: number; readonly dts?: number }
  | { readonly ptsMs: number; readonly dtsMs?: number }

/** dts and pts in ticks. */
export function ticks(times: FrameTimes, timescale: number): [dts: number, pts: number] {
  if ('pts' in times) return [times.dts ?? times.pts, times.pts]
  return [fromMs(times.dtsMs ?? times.ptsMs, timescale), fromMs(times.ptsMs, timescale)]
}
