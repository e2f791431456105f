import { rescale } from '../media/clock.ts'
import { TapedeckError } from '../media/errors.ts'
import type { Track } from '../media/track.ts'
import { aacFacts, parseAudioSpecificConfig } from './aac/audio-specific-config.ts'
import { AC3_FRAME_SAMPLES } from './ac3.ts'
import { parseEac3Packet } from './eac3.ts'
import { parseFlacFrameHeader } from './flac.ts'
import { parseMp3Header } from './mp3.ts'
import { opusPacketSamples } from './opus.ts'

/** Per AAC track: what its configuration says, worked out once. */
const aacFrameSamples = new WeakMap<Track, number>()

/**
 * How many samples an audio packet decodes to, at `track.sampleRateHz`; to add up without rounding. Undefined for video
 * and for packets that cannot be read.
 */
export function frameSamples(track: Track, data: Uint8Array): number | undefined {
  try {
    return samplesOf(track, data)
  } catch (error) {
    if (error instanceof TapedeckError) return undefined
    throw error
  }
}

function samplesOf(track: Track, data: Uint8Array): number | undefined {
  switch (track.codec) {
    case 'aac':
      return aacSamples(track)
    case 'opus':
      return opusPacketSamples(data)
    case 'mp3':
      return parseMp3Header(data).frameSamples
    case 'ac3':
      return AC3_FRAME_SAMPLES
    case 'eac3':
      return parseEac3Packet(data).samples
    case 'flac':
      return parseFlacFrameHeader(data)?.samples
    case 'pcm-s16le':
      return track.channels === 0 ? undefined : Math.floor(data.length / (2 * track.channels))
    case 'pcm-alaw':
    case 'pcm-mulaw':
      return track.channels === 0 ? undefined : Math.floor(data.length / track.channels)
    default:
      return undefined
  }
}

function aacSamples(track: Track): number {
  let samples = aacFrameSamples.get(track)
  if (samples === undefined) {
    samples = aacFacts(parseAudioSpecificConfig(track.config)).frameSamples
    aacFrameSamples.set(track, samples)
  }
  return samples
}

/** How long an audio packet lasts, ticks of `track.timescale`, rounded; undefined as for `frameSamples`. */
export function frameDurationTicks(track: Track, data: Uint8Array): number | undefined {
  if (track.kind !== 'audio' || track.sampleRateHz === 0) return undefined
  const samples = frameSamples(track, data)
  return samples === undefined ? undefined : rescale(samples, track.sampleRateHz, track.timescale)
}
