import { TapedeckError } from '../media/errors.ts'
import type { Colour, VideoTrack } from '../media/track.ts'
import { parseAv1C } from './av1/av1c.ts'
import { findObu, OBU_SEQUENCE_HEADER } from './av1/obu.ts'
import { parseAv1SequenceHeader } from './av1/sequence-header.ts'
import { parseAvcC } from './h264/avcc.ts'
import { parseH264Sps } from './h264/sps.ts'
import type { Vui } from './h264/vui.ts'
import { hevcFacts, parseHvcC } from './hevc/hvcc.ts'
import { parseVpcC } from './vpcc.ts'

const UNSPECIFIED = 2 // in all three tables, ISO 23091-2 §8

/** Colours as the sender's container or the track's configuration states them; undefined where neither says anything that can be read. */
export function colourOf(track: VideoTrack): Colour | undefined {
  if (track.colour !== undefined) return track.colour
  try {
    const colour = stated(track)
    if (colour === undefined) return undefined
    const { primaries, transfer, matrix, fullRange } = colour
    return saysAnything(colour) ? { primaries, transfer, matrix, fullRange } : undefined
  } catch (error) {
    if (error instanceof TapedeckError) return undefined
    throw error
  }
}

/** The track with the colours that its container states, where they say more than its configuration or something else. */
export function withColour(track: VideoTrack, colour: Colour | undefined): VideoTrack {
  if (colour === undefined || !saysAnything(colour)) return track
  const known = colourOf(track)
  const isKnown =
    known?.primaries === colour.primaries &&
    known.transfer === colour.transfer &&
    known.matrix === colour.matrix &&
    known.fullRange === colour.fullRange
  return isKnown ? track : { ...track, colour }
}

function saysAnything({ primaries, transfer, matrix, fullRange }: Colour): boolean {
  return fullRange || [primaries, transfer, matrix].some((code) => code !== UNSPECIFIED)
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
