import { z } from 'zod'
import {
  CHECKLIST,
  firstUnmet,
  type MediaLoss,
  SOURCE_STATES,
  type SourceReport,
  type SourceTrackFigures,
  type StrayPackets,
} from '../../media/source-report.ts'

const count = z.number().int().nonnegative()
const time = z.iso.datetime()
const ms = z.number()

const trackFigures = z.object({
  track_id: count,
  kind: z.enum(['video', 'audio']),
  codec: z.string(),
  mid: z.string().describe('Of the session description'),
  rid: z.string().nullable().describe('Of the simulcast layer that is taken now'),
  frames: count,
  keyframes: count,
  bytes: count,
  dropped_frames: count.describe('Because a queue was full, in whole GOPs'),
  damaged_frames: count.describe('Of which a part was missing'),
  undecodable_frames: count.describe('Left out since what they refer to was lost'),
  packets: count,
  packets_lost: count,
  packets_recovered: count.describe('Came after all because they were asked for'),
  packets_duplicate: count,
  packets_late: count.describe('Came after they had been given up'),
  loss_rate: z.number().describe('Of lost to expected packets, 0 to 1'),
  nacks: count,
  plis: count,
  firs: count,
  rtx: count,
  jitter_ms: z.number().nonnegative(),
  bitrate_bps: z.number().nonnegative(),
  width: count.nullable(),
  height: count.nullable(),
  resolution_changes: count,
})
const loss = z.object({
  track_id: count,
  at: time,
  length_ms: ms,
  packets: count,
  damaged_frames: count,
  undecodable_frames: count,
})
const line = z.enum(CHECKLIST)

/** What a source that is reached over a transport which can fail says of itself. */
export const sourceAnswer = z
  .object({
    state: z.enum(SOURCE_STATES),
    fault: z.object({ code: z.string(), message: z.string() }).nullable().describe('What is wrong now'),
    checklist: z.record(line, time.nullable()).describe('When each line was first met; null while it is not'),
    unmet: line.nullable().describe('The first line that is not met'),
    tracks: z.array(trackFigures),
    losses: z.array(loss).describe('The last hundred, oldest first; left out in rooms, whose participants have them'),
    loss_count: count,
    strays: z
      .object({
        unknown_ssrc: count.describe('Nothing says to which track they belong'),
        not_negotiated: count.describe('Of payload types that were not agreed upon'),
        malformed: count.describe('Packets and payloads that cannot be read'),
      })
      .nullable()
      .describe('Packets of which nothing could be kept'),
    rtt_ms: ms.nullable(),
    av_offset_ms: ms.nullable().describe('How much later the picture is than the sound'),
    connection_ms: ms.nullable().describe('From the request to the connection'),
    subscription_ms: ms.nullable().describe('From the connection to the first media'),
  })
  .meta({ id: 'Source' })

type SourceAnswer = z.output<typeof sourceAnswer>

/** The report of a source as JSON. */
export function sourceView(report: SourceReport, withLosses: boolean): SourceAnswer {
  return {
    state: report.state,
    fault: report.fault ?? null,
    checklist: report.checklist,
    unmet: firstUnmet(report.checklist) ?? null,
    tracks: report.tracks.map(trackView),
    losses: withLosses ? report.losses.map(lossView) : [],
    loss_count: report.lossCount,
    strays: report.strays === undefined ? null : straysView(report.strays),
    rtt_ms: report.rttMs ?? null,
    av_offset_ms: report.avOffsetMs ?? null,
    connection_ms: report.connectionMs ?? null,
    subscription_ms: report.subscriptionMs ?? null,
  }
}

function trackView(track: SourceTrackFigures): SourceAnswer['tracks'][number] {
  const { kind, codec, mid, frames, keyframes, bytes, packets, nacks, plis, firs, rtx } = track
  return {
    track_id: track.trackId,
    ...{ kind, codec, mid, rid: track.rid ?? null, frames, keyframes, bytes },
    dropped_frames: track.droppedFrames,
    damaged_frames: track.damagedFrames,
    undecodable_frames: track.undecodableFrames,
    packets,
    packets_lost: track.packetsLost,
    packets_recovered: track.packetsRecovered,
    packets_duplicate: track.packetsDuplicate,
    packets_late: track.packetsLate,
    loss_rate: track.lossRate,
    ...{ nacks, plis, firs, rtx },
    jitter_ms: track.jitterMs,
    bitrate_bps: Math.round(track.bitrateBps),
    width: track.width ?? null,
    height: track.height ?? null,
    resolution_changes: track.resolutionChanges,
  }
}

function straysView({ unknownSsrc, notNegotiated, malformed }: StrayPackets) {
  return { unknown_ssrc: unknownSsrc, not_negotiated: notNegotiated, malformed }
}

function lossView({ trackId, at, lengthMs, packets, damagedFrames, undecodableFrames }: MediaLoss) {
  return {
    track_id: trackId,
    at,
    length_ms: lengthMs,
    packets,
    damaged_frames: damagedFrames,
    undecodable_frames: undecodableFrames,
  }
}
