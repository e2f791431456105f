import { UnsupportedError } from '../../media/errors.ts'
import type { AccessUnitSink } from '../access-unit.ts'
import type { Depacketizer, RtpFormat } from '../depacketizer.ts'
import { Av1Depacketizer } from './av1.ts'
import { H264Depacketizer } from './h264.ts'
import { HevcDepacketizer } from './hevc.ts'
import { OpusDepacketizer } from './opus.ts'
import { G711Depacketizer, L16Depacketizer } from './pcm.ts'
import { Vp8Depacketizer } from './vp8.ts'
import { Vp9Depacketizer } from './vp9.ts'

/** What takes packets of this format apart. @throws UnsupportedError for a codec that does not come over RTP here */
export function depacketizerFor(format: RtpFormat, sink: AccessUnitSink): Depacketizer {
  const { codec, parameters } = format
  switch (codec) {
    case 'h264':
      return new H264Depacketizer(sink, parameters.get('sprop-parameter-sets'))
    case 'hevc':
      return new HevcDepacketizer(sink, hevcParameterSets(parameters))
    case 'av1':
      return new Av1Depacketizer(sink, format.dependencyDescriptorId)
    case 'vp9':
      return new Vp9Depacketizer(sink)
    case 'vp8':
      return new Vp8Depacketizer(sink)
    case 'opus':
      return new OpusDepacketizer(sink, parameters.get('sprop-stereo') === '1' || parameters.get('stereo') === '1')
    case 'pcm-alaw':
    case 'pcm-mulaw':
      return new G711Depacketizer(sink, Math.max(1, format.channels))
    case 'pcm-s16le':
      return new L16Depacketizer(sink, Math.max(1, format.channels))
    default:
      throw new UnsupportedError(`RTP: ${codec} is not taken; offer H.264, HEVC, AV1, VP9, VP8, Opus, G.711 or L16`)
  }
}

function hevcParameterSets(parameters: ReadonlyMap<string, string>): string {
  return ['sprop-vps', 'sprop-sps', 'sprop-pps'].flatMap((name) => parameters.get(name) ?? []).join(',')
}
