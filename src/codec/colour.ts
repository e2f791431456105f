import { TapedeckError } from '../media/errors.ts'
import type { VideoTrack } from '../media/track.ts'
import { parseAv1C } from './av1/av1c.ts'
import { findObu, OBU_SEQUENCE_HEADER } from './av1/obu.ts'
import { parseAv1SequenceHeader } from './av1/sequence-header.ts'
import { parseAvcC } from './h264/avcc.ts'
import { parseH264Sps } from './h264/sps.ts'
import type { Vui } from './h264/vui.ts'
import { hevcFacts, parseHvcC } from './hevc/hvcc.ts'
import { parseVpcC } from './vpcc.ts'

/** What the numbers of a picture mean, by the code points of ISO 23091-2. */
export interface Colour {
  readonly primaries: number
  readonly transfer: number
  readonly matrix: number
  readonly fullRange: boolean
}

const UNSPECIFIED = 2 // in all three tables, ISO 23091-2 §8

/** Colours as the track's configuration states them; undefined where it says nothing of them, or cannot be read. */
export function colourOf(track: VideoTrack): Colour | undefined {
  try {
    const colour = stated(track)
    if (colour === undefined) return undefined
    const { primaries, transfer, matrix, fullRange } = colour
    const isSaid = fullRange || [primaries, transfer, matrix].some((code) => code !== UNSPECIFIED)
    return isSaid ? { primaries, transfer, matrix, fullRange } : undefined
  } catch (error) {
    if (error instanceof TapedeckError) return undefined
    throw error
  }
}

function stated({ codec, config }: VideoTrack): Colour | undefined {
  if (config.length === 0) return undefined
  switch (codec) {
    case 'h264': {
      const [sps] = parseAvcC(config).sps
      return sps === undefined ? undefined : ofVui(parseH264Sps(sps).vui)
    }
    case 'hevc':
      return ofVui(hevcFacts(parseHvcC(config)).sps.vui)
    case 'av1': {
      const header = findObu(parseAv1C(config).configObus, OBU_SEQUENCE_HEADER)
      return header === undefined ? undefined : parseAv1SequenceHeader(header).colour
    }
    case 'vp9':
      return parseVpcC(config)
    default:
      return undefined
  }
}

function ofVui(vui: Pick<Vui, 'colour' | 'fullRange'> | undefined): Colour | undefined {
  if (vui === undefined) return undefined
  const unsaid = { primaries: UNSPECIFIED, transfer: UNSPECIFIED, matrix: UNSPECIFIED }
  return { ...unsaid, ...vui.colour, fullRange: vui.fullRange ?? false }
}
