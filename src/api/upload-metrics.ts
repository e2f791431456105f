import { Counter, Gauge, type Registry } from 'prom-client'
import type { UploadStats } from '../ingest/upload/upload-stats.ts'

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
  const registers = [registry]
  new Gauge({
    name: 'tapedeck_uploads',
    help: 'Uploads: live are read into a stream, resting ones may be resumed or have ended within a day',
    labelNames: ['state'],
    registers,
    collect() {
      const { live, known } = uploads.stats
      this.set({ state: 'live' }, live)
      this.set({ state: 'resting' }, known - live)
    },
  })
  new Counter({
    name: 'tapedeck_upload_refused_total',
    help: 'Chunks that were not taken, by error code',
    labelNames: ['code'],
    registers,
    collect() {
      this.reset()
      for (const [code, count] of Object.entries(uploads.stats.refused)) this.inc({ code }, count)
    },
  })
  for (const [name, help, key] of GAUGES) {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(uploads.stats[key])
      },
    })
  }
  for (const [name, help, key] of COUNTERS) {
    new Counter({
      name,
      help,
      registers,
      collect() {
        this.reset()
        this.inc(uploads.stats[key])
      },
    })
  }
}
