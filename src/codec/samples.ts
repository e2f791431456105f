import { rescale } from '../media/clock.ts'
import type { Track } from '../media/track.ts'
import { aacFacts, parseAudioSpecificConfig } from './aac/audio-specific-config.ts'

/** Per AAC track: what its configuration says, worked out once. */
const aacFrameSamples = new WeakMap<Track, number>()

/**
 * How many samples an audio packet decodes to, at `track.sampleRateHz`; to add up without rounding. Undefined for video
 * and for packets that cannot be read.
 */
export function frameSamples(track: Track, _data: Uint8Array): number | undefined {
  switch (track.codec) {
    case 'aac': {
      let samples = aacFrameSamples.get(track)
      if (samples === undefined) {
        samples = aacFacts(parseAudioSpecificConfig(track.config)).frameSamples
        aacFrameSamples.set(track, samples)
      }
      return samples
    }
    default:
      return undefined
  }
}

/** How long an audio packet lasts, ticks of `track.timescale`, rounded; undefined as for `frameSamples`. */
export function frameDurationTicks(track: Track, data: Uint8Array): number | undefined {
  if (track.kind !== 'audio' || track.sampleRateHz === 0) return undefined
  const samples = frameSamples(track, data)
  return samples === undefined ? undefined : rescale(samples, track.sampleRateHz, track.timescale)
}
