import type { Registry } from 'prom-client'
import type { WhipStats } from '../ingest/whip/whip-ingest.ts'
import type { WhepStats } from '../playback/whep/whep-playback.ts'
import { MetricReader } from './metric-reader.ts'

/** What the numbers are read from, when somebody asks. */
export interface WebrtcMetricsSources {
  readonly whip: { readonly stats: WhipStats }
  readonly whep: { readonly stats: WhepStats }
  /** How often the process of the media engine was started. */
  readonly processStarts: number
}

const PACKETS = [
  ['tapedeck_webrtc_packets_total', 'RTP packets of publishers', 'packets'],
  ['tapedeck_webrtc_packets_lost_total', 'RTP packets that were given up for lost', 'packetsLost'],
  [
    'tapedeck_webrtc_packets_recovered_total',
    'RTP packets that came after they were asked for again',
    'packetsRecovered',
  ],
  ['tapedeck_webrtc_nacks_total', 'RTP packets that were asked for again', 'nacks'],
  ['tapedeck_webrtc_plis_total', 'Keyframes that were asked for', 'plis'],
  ['tapedeck_webrtc_damaged_frames_total', 'Frames of which a part was lost', 'damagedFrames'],
  ['tapedeck_webrtc_packets_stray_total', 'Packets of nothing that was negotiated, or unreadable', 'packetsStray'],
] as const satisfies readonly (readonly [string, string, keyof WhipStats])[]

/** Adds the numbers of WHIP and WHEP to `registry`. */
export function registerWebrtcMetrics(registry: Registry, sources: WebrtcMetricsSources): void {
  const { whip, whep } = sources
  const reader = new MetricReader(registry)
  reader.gaugeBy('kind', 'tapedeck_webrtc_sessions', 'WebRTC sessions: whip publish, whep watch', () => ({
    whip: whip.stats.sessions,
    whep: whep.stats.sessions,
  }))
  reader.counterBy('kind', 'tapedeck_webrtc_sessions_started_total', 'WebRTC sessions that began', () => ({
    whip: whip.stats.started,
    whep: whep.stats.started,
  }))
  reader.counterBy('reason', 'tapedeck_webrtc_publishers_ended_total', 'WHIP publishers that ended, by why', () => {
    return whip.stats.ended
  })
  reader.counterBy('reason', 'tapedeck_webrtc_viewers_ended_total', 'WHEP viewers that left, by why', () => {
    return whep.stats.ended
  })
  for (const [name, help, key] of PACKETS) reader.counter(name, help, () => whip.stats[key])
  const starts = 'Starts of the media process; each beyond the first follows a death'
  reader.counter('tapedeck_webrtc_process_starts_total', starts, () => sources.processStarts)
}
