import { resolve } from 'node:path'
import { type RecorderConfig, recorderConfigSchema } from '../recorder/config.ts'
import type { Settings } from './settings-schema.ts'

/** The recorder's share of a server's settings; directories absolute. */
export function recorderSettings(settings: Settings): RecorderConfig {
  return recorderConfigSchema.parse({
    recordAll: settings.recordAll,
    dir: resolve(settings.recordDir),
    format: settings.recordFormat,
    audioFormat: settings.audioFormat,
    filename: settings.recordFilename,
    maxSizeMb: settings.recordMaxSizeMb,
    maxDurationMs: settings.recordMaxDuration,
    splitOnCodecChange: settings.recordSplitOnCodecChange,
    minFreeMb: settings.recordMinFreeMb,
    fsync: settings.fsync,
    fsyncIntervalMs: settings.fsyncInterval,
    report: settings.recordReport,
    statsIntervalMs: settings.statsInterval,
  })
}
