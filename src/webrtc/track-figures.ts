import type { SourceTrackFigures } from '../media/source-report.ts'
import { type IncomingEncoding, sumFigures } from './incoming-encoding.ts'
import type { IncomingMedia } from './sdp/negotiation.ts'
import type { TrackOutlet } from './track-outlet.ts'

/** The figures of one track: of its frames, and of the packets of all its layers; jitter and bitrate are of the one taken. */
export function trackFigures(
  media: IncomingMedia,
  trackId: number,
  outlet: TrackOutlet | undefined,
  encodings: readonly IncomingEncoding[],
): SourceTrackFigures {
  const sum = sumFigures(encodings.map((encoding) => encoding.figures()))
  const taken = outlet?.current ?? encodings[0]
  const measures = taken?.measures
  const written = outlet?.track
  const track = written?.track
  const expected = sum.packets + sum.packetsLost
  return {
    trackId,
    kind: media.kind,
    codec: written?.format.codec ?? media.formats[0].codec,
    mid: media.mid,
    ...(taken?.rid === undefined ? {} : { rid: taken.rid }),
    frames: written?.frames ?? 0,
    keyframes: written?.keyframes ?? 0,
    bytes: written?.bytes ?? 0,
    droppedFrames: 0,
    damagedFrames: sum.damagedFrames + (written?.undescribed ?? 0),
    undecodableFrames: sum.undecodableFrames,
    packets: sum.packets,
    packetsLost: sum.packetsLost,
    packetsRecovered: sum.packetsRecovered,
    packetsDuplicate: sum.packetsDuplicate,
    packetsLate: sum.packetsLate,
    lossRate: expected === 0 ? 0 : sum.packetsLost / expected,
    nacks: sum.nacks,
    plis: sum.plis,
    firs: sum.firs,
    rtx: sum.rtx,
    jitterMs: measures?.jitterMs ?? 0,
    bitrateBps: measures?.bitrateBps ?? 0,
    ...(track?.kind === 'video' && track.width > 0 ? { width: track.width, height: track.height } : {}),
    resolutionChanges: written?.resolutionChanges ?? 0,
  }
}
