import type { H264Sps } from './sps.ts'

const BASELINE = 66 // profile_idc, §A.2.1: no B slices
const MAX_DEPTH = 16 // MaxDpbFrames, §A.3.1 h

/**
 * How many frames at most precede another one in decoding order and follow it when shown, by what a sequence parameter set says.
 *
 * `max_num_reorder_frames` where it stands there (§E.2.1); 0 for profiles and orders that know no reordering; else one less than
 * the reference frames, since what waits to be shown while a frame between is decoded is referred to by it, and so is one before.
 */
export function h264ReorderDepth(sps: H264Sps): number {
  const stated = sps.vui?.maxReorderFrames
  if (stated !== undefined) return Math.min(stated, MAX_DEPTH)
  if (sps.profileIdc === BASELINE || sps.pocType === 2) return 0
  return Math.min(Math.max(sps.maxRefFrames - 1, 0), MAX_DEPTH)
}
