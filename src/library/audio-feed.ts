import { configFromAdts, parseAdtsHeader, splitAdts } from '../codec/aac/adts.ts'
import { writeAudioSpecificConfig } from '../codec/aac/audio-specific-config.ts'
import { TapedeckError } from '../media/errors.ts'
import type { AudioCodec } from '../media/track.ts'

/** Packets in the form that containers keep, and the configuration that came along with them. */
export interface FedPackets {
  readonly packets: readonly Uint8Array[]
  readonly config: Uint8Array | undefined
}

/** What an embedder's piece of sound is, as packets: AAC may be raw or ADTS, several frames in one piece. */
export function feedAudio(codec: AudioCodec, data: Uint8Array): FedPackets {
  if (codec !== 'aac' || !isAdts(data)) return { packets: [data], config: undefined }
  return { packets: splitAdts(data), config: writeAudioSpecificConfig(configFromAdts(data)) }
}

function isAdts(data: Uint8Array): boolean {
  if (data.length < 7 || data[0] !== 0xff || (data[1] & 0xf6) !== 0xf0) return false
  try {
    return parseAdtsHeader(data).frameBytes <= data.length
  } catch (error) {
    if (error instanceof TapedeckError) return false
    throw error
  }
}
