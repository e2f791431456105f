import { Counter, collectDefaultMetrics, Registry } from 'prom-client'
import type { Hub } from '../live/hub.ts'
import type { LiveStream } from '../live/stream.ts'
import type { Recording } from '../recorder/recording.ts'
import type { RecordingStats } from '../recorder/stats.ts'
import { MetricReader } from './metric-reader.ts'

/** How finely the lag of the event loop is measured, ms: finer costs wake-ups. */
const LAG_PRECISION_MS = 50

/** What the numbers are read from, when somebody asks. */
export interface MetricsSources {
  readonly hub: Hub
  /** Those that are not final. */
  recordings(): readonly Recording[]
  recoveryPending(): number
  /** Open connections by listener. */
  connections(): Readonly<Record<string, number>>
  /** Where recordings go, bytes; undefined when it cannot be told. */
  freeBytes(): Promise<number | undefined>
}

/** Totals that outlive the recordings they come from. */
interface RecordedTotals {
  bytes: number
  frames: number
  droppedFrames: number
  droppedBytes: number
  gaps: number
  jumps: number
  outages: number
  parts: number
}

/** Everything under /metrics, in a registry of its own. Costs nothing until it is read, but for one timer. */
export class Metrics {
  readonly #registry = new Registry()
  readonly #reader = new MetricReader(this.#registry)
  readonly #sources: MetricsSources
  readonly #finished: Counter<'state'>
  readonly #ended: RecordedTotals = noTotals()
  readonly #unlisten: () => void
  #endedStreamBytes = 0
  #startedStreams = 0

  constructor(sources: MetricsSources) {
    this.#sources = sources
    collectDefaultMetrics({ register: this.#registry, eventLoopMonitoringPrecision: LAG_PRECISION_MS })
    this.#unlisten = sources.hub.listen({
      started: () => {
        this.#startedStreams++
      },
      ended: (stream) => {
        this.#endedStreamBytes += stream.stats.snapshot().bytes
      },
    })
    this.#finished = new Counter({
      name: 'tapedeck_recordings_total',
      help: 'Recordings that came to their end, by how',
      labelNames: ['state'],
      registers: [this.#registry],
    })
    for (const state of ['completed', 'failed', 'cancelled']) this.#finished.inc({ state }, 0)
    this.#streamMetrics()
    this.#recordingMetrics()
    this.#hostMetrics()
  }

  get registry(): Registry {
    return this.#registry
  }
  get contentType(): string {
    return this.#registry.contentType
  }

  /** The page, in Prometheus's text format. */
  render(): Promise<string> {
    return this.#registry.metrics()
  }

  /** A recording came to its end: its numbers join the totals. */
  recordingEnded(recording: Recording): void {
    this.#finished.inc({ state: recording.state })
    addTo(this.#ended, recording.stats())
  }

  close(): void {
    this.#unlisten()
    this.#registry.clear()
  }

  #streamMetrics(): void {
    const { hub, connections } = this.#sources
    const reader = this.#reader
    reader.gauge('tapedeck_streams', 'Streams that are live', () => hub.streams.length)
    reader.gauge('tapedeck_players', 'Players of all streams', () => sum(hub.streams, ({ playerCount }) => playerCount))
    reader.gauge('tapedeck_gop_bytes', 'Media kept for late joiners', () =>
      sum(hub.streams, ({ gopBytes }) => gopBytes),
    )
    reader.counter('tapedeck_streams_started_total', 'Streams that began', () => this.#startedStreams)
    reader.counter('tapedeck_received_bytes_total', 'Media bytes that came in', () => {
      return this.#endedStreamBytes + sum(hub.streams, (stream) => stream.stats.snapshot().bytes)
    })
    this.#perStream('tapedeck_stream_bitrate_bps', 'Of a live stream, bits per second', (stream) => {
      return stream.stats.snapshot().bitrateBps
    })
    this.#perStream('tapedeck_stream_frames', 'Video frames of a live stream so far', (stream) => {
      return stream.stats.snapshot().videoFrames
    })
    this.#perStream('tapedeck_stream_keyframe_interval_ms', 'Between its last two keyframes', (stream) => {
      return stream.stats.snapshot().keyframeIntervalMs
    })
    this.#perStream(
      'tapedeck_stream_dropped_frames',
      'Of its recordings, because a disk did not keep up',
      ({ address }) => {
        const mine = this.#sources.recordings().filter((recording) => {
          return recording.address.room === address.room && recording.address.participant === address.participant
        })
        return sum(mine, (recording) => recording.stats().droppedFrames)
      },
    )
    reader.gaugeBy('listener', 'tapedeck_connections', 'Open connections, by listener', connections)
  }

  #recordingMetrics(): void {
    const { recordings, recoveryPending } = this.#sources
    const reader = this.#reader
    reader.gauge('tapedeck_recordings_active', 'Recordings that have not come to their end', () => recordings().length)
    reader.gauge('tapedeck_recordings_interrupted', 'Recordings that cannot be written now', () => {
      return recordings().filter((recording) => recording.interruption !== undefined).length
    })
    reader.gauge('tapedeck_recovery_pending', 'Files of an earlier run that are not mended yet', recoveryPending)
    reader.gauge('tapedeck_queue_frames', 'Frames that wait for a slow disk', () => {
      return sum(recordings(), (recording) => recording.stats().queuedFrames)
    })
    reader.gauge('tapedeck_queue_bytes', 'Media that waits for a slow disk', () => {
      return sum(recordings(), (recording) => recording.stats().queuedBytes)
    })
    reader.gauge('tapedeck_backlog_bytes', 'Media that the system has not taken yet', () => {
      return sum(recordings(), (recording) => recording.stats().backlogBytes)
    })
    const totals: readonly (readonly [string, string, keyof RecordedTotals])[] = [
      ['tapedeck_recorded_bytes_total', 'Media bytes that went into files', 'bytes'],
      ['tapedeck_recorded_frames_total', 'Frames that went into files', 'frames'],
      ['tapedeck_dropped_frames_total', 'Frames dropped because a disk did not keep up', 'droppedFrames'],
      ['tapedeck_dropped_bytes_total', 'Media bytes dropped because a disk did not keep up', 'droppedBytes'],
      ['tapedeck_gaps_total', 'Stretches without media in recordings', 'gaps'],
      ['tapedeck_clock_jumps_total', 'Clocks of sources that jumped and were healed', 'jumps'],
      ['tapedeck_outages_total', 'Times in which a recording could not be written', 'outages'],
      ['tapedeck_files_total', 'Files that were begun', 'parts'],
    ]
    for (const [name, help, key] of totals) reader.counter(name, help, () => this.#totals()[key])
  }

  #hostMetrics(): void {
    const { freeBytes } = this.#sources
    this.#reader.gauge('tapedeck_disk_free_bytes', 'Room left where recordings go', async () => {
      return (await freeBytes()) ?? Number.NaN
    })
  }

  #totals(): RecordedTotals {
    const totals = { ...this.#ended }
    for (const recording of this.#sources.recordings()) addTo(totals, recording.stats())
    return totals
  }

  #perStream(name: string, help: string, read: (stream: LiveStream) => number | undefined): void {
    this.#reader.gauges(name, help, ['room', 'participant'], (gauge) => {
      for (const stream of this.#sources.hub.streams) {
        const value = read(stream)
        if (value !== undefined) gauge.set({ ...stream.address }, value)
      }
    })
  }
}

function noTotals(): RecordedTotals {
  return { bytes: 0, frames: 0, droppedFrames: 0, droppedBytes: 0, gaps: 0, jumps: 0, outages: 0, parts: 0 }
}

function addTo(totals: RecordedTotals, stats: RecordingStats): void {
  totals.bytes += stats.bytes
  totals.frames += stats.packets
  totals.droppedFrames += stats.droppedFrames
  totals.droppedBytes += stats.droppedBytes
  totals.gaps += stats.gaps
  totals.jumps += stats.jumps
  totals.outages += stats.outages
  totals.parts += stats.parts
}

function sum<T>(items: readonly T[], read: (item: T) => number): number {
  let total = 0
  for (const item of items) total += read(item)
  return total
}
