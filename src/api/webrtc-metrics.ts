import { Counter, Gauge, type Registry } from 'prom-client'
import type { WhipStats } from '../ingest/whip/whip-ingest.ts'
import type { WhepStats } from '../playback/whep/whep-playback.ts'

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
  const registers = [registry]
  const labelNames = ['kind'] as const
  new Gauge({
    name: 'tapedeck_webrtc_sessions',
    help: 'WebRTC sessions: whip publish, whep watch',
    labelNames,
    registers,
    collect() {
      this.set({ kind: 'whip' }, sources.whip.stats.sessions)
      this.set({ kind: 'whep' }, sources.whep.stats.sessions)
    },
  })
  new Counter({
    name: 'tapedeck_webrtc_sessions_started_total',
    help: 'WebRTC sessions that began',
    labelNames,
    registers,
    collect() {
      this.reset()
      this.inc({ kind: 'whip' }, sources.whip.stats.started)
      this.inc({ kind: 'whep' }, sources.whep.stats.started)
    },
  })
  new Counter({
    name: 'tapedeck_webrtc_publishers_ended_total',
    help: 'WHIP publishers that ended, by why',
    labelNames: ['reason'],
    registers,
    collect() {
      this.reset()
      for (const [reason, count] of Object.entries(sources.whip.stats.ended)) this.inc({ reason }, count)
    },
  })
  new Counter({
    name: 'tapedeck_webrtc_viewers_ended_total',
    help: 'WHEP viewers that left, by why',
    labelNames: ['reason'],
    registers,
    collect() {
      this.reset()
      for (const [reason, count] of Object.entries(sources.whep.stats.ended)) this.inc({ reason }, count)
    },
  })
  const counter = (name: string, help: string, read: () => number) =>
    new Counter({
      name,
      help,
      registers,
      collect() {
        this.reset()
        this.inc(read())
      },
    })
  for (const [name, help, key] of PACKETS) counter(name, help, () => sources.whip.stats[key])
  counter(
    'tapedeck_webrtc_process_starts_total',
    'Starts of the media process; each beyond the first follows a death',
    () => {
      return sources.processStarts
    },
  )
}
