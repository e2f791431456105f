import type { Registry } from 'prom-client'
import type { UploadStats } from '../ingest/upload/upload-stats.ts'
import { MetricReader } from './metric-reader.ts'

const GAUGES = [
  ['tapedeck_upload_in_flight_bytes', 'Of chunks on their way, or before their turn', 'inFlightBytes'],
  ['tapedeck_upload_early_chunks', 'Chunks that wait for one before them', 'earlyChunks'],
  ['tapedeck_upload_spooled_bytes', 'Of chunks on disk whose media may not be in files yet', 'spooledBytes'],
] as const satisfies readonly (readonly [string, string, keyof UploadStats])[]

const COUNTERS = [
  ['tapedeck_upload_chunks_total', 'Chunks that were taken', 'chunks'],
  ['tapedeck_upload_repeated_chunks_total', 'Chunks that were sent again, and there already', 'repeatedChunks'],
  ['tapedeck_upload_bytes_total', 'Bytes of the chunks that were taken', 'bytes'],
] as const satisfies readonly (readonly [string, string, keyof UploadStats])[]

/** Adds the numbers of uploads to `registry`. */
export function registerUploadMetrics(registry: Registry, uploads: { readonly stats: UploadStats }): void {
  const reader = new MetricReader(registry)
  const help = 'Uploads: live are read into a stream, resting ones may be resumed or have ended within a day'
  reader.gaugeBy('state', 'tapedeck_uploads', help, () => {
    const { live, known } = uploads.stats
    return { live, resting: known - live }
  })
  reader.counterBy('code', 'tapedeck_upload_refused_total', 'Chunks that were not taken, by error code', () => {
    return uploads.stats.refused
  })
  for (const [name, text, key] of GAUGES) reader.gauge(name, text, () => uploads.stats[key])
  for (const [name, text, key] of COUNTERS) reader.counter(name, text, () => uploads.stats[key])
}
