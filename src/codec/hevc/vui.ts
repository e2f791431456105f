import type { BitReader } from '../../media/bits.ts'
import { parseSampleAspect, parseVideoSignal, type Vui } from '../h264/vui.ts'

/** Video usability information up to its timing. HEVC §E.2.1. */
export type HevcVui = Pick<Vui, 'sampleAspect' | 'fullRange' | 'colour' | 'frameRate'>

/** Reads vui_parameters() as far as the timing; what follows (HRD, restrictions) is left. @throws MalformedError */
export function parseHevcVui(bits: BitReader): HevcVui {
  const sampleAspect = bits.flag() ? parseSampleAspect(bits) : undefined
  if (bits.flag()) bits.skip(1) // overscan_appropriate_flag
  const signal = bits.flag() ? parseVideoSignal(bits) : {}
  if (bits.flag()) {
    bits.ue() // chroma_sample_loc_type_top_field
    bits.ue() // chroma_sample_loc_type_bottom_field
  }
  bits.skip(3) // neutral_chroma_indication_flag, field_seq_flag, frame_field_info_present_flag
  if (bits.flag()) for (let i = 0; i < 4; i++) bits.ue() // default display window: a wish, not the size
  const frameRate = bits.flag() ? parseHevcTiming(bits) : undefined
  return {
    ...(sampleAspect === undefined ? {} : { sampleAspect }),
    ...signal,
    ...(frameRate === undefined ? {} : { frameRate }),
  }
}

/** num_units_in_tick and time_scale as pictures per second; undefined when one is 0. */
export function parseHevcTiming(bits: BitReader): number | undefined {
  const unitsInTick = bits.bits(32)
  const timeScale = bits.bits(32)
  return unitsInTick === 0 || timeScale === 0 ? undefined : timeScale / unitsInTick
}
