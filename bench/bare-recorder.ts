import { parseArgs } from 'node:util'
import { limitNursery } from '../src/cli/nursery.ts'
import { auditPath, recorderSettings, serverSettings, statePath } from '../src/config.ts'
import { RtmpAdmission } from '../src/ingest/rtmp/admission.ts'
import { Hub } from '../src/live/hub.ts'
import type { Logger } from '../src/media/ports.ts'
import { RtmpPlayback } from '../src/playback/rtmp/playback.ts'
import { AuditLog } from '../src/recorder/audit.ts'
import { Recorder } from '../src/recorder/recorder.ts'
import { RtmpListener } from '../src/rtmp/listener.ts'
import { SqliteJournal } from '../src/state/sqlite-journal.ts'
import { DiskStorage } from '../src/storage/disk.ts'

/** RTMP in, files, journal and audit log out, and nothing else: what the service is measured against. `node bench/bare-recorder.ts serve --rtmp …` */
limitNursery()
const { values } = parseArgs({
  allowPositionals: true,
  strict: false,
  options: { rtmp: { type: 'string' }, 'record-dir': { type: 'string' }, 'data-dir': { type: 'string' } },
})
const settings = serverSettings({
  rtmp: String(values.rtmp),
  recordDir: String(values['record-dir']),
  dataDir: String(values['data-dir']),
  http: 'off',
})
if (settings.rtmp === 'off') throw new Error('--rtmp is needed')
const logger: Logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: console.error }
const hub = new Hub({ takeover: false, maxStreams: 1000 }, logger)
const recorder = new Recorder({
  hub,
  storage: new DiskStorage({ fsync: settings.fsync, fsyncIntervalMs: settings.fsyncInterval }),
  journal: new SqliteJournal(statePath(settings)),
  audit: new AuditLog(auditPath(settings), logger),
  config: { ...recorderSettings(settings), recordAll: true },
  logger,
})
const authorize = async () => undefined
const admission = new RtmpAdmission({ hub, authorize, logger })
const playback = new RtmpPlayback({ hub, authorize, logger })
const limits = {
  maxConnections: settings.maxConnections,
  perAddressPerSecond: settings.maxConnectionRate,
  maxMessageBytes: 16e6,
  maxPendingBytes: 32e6,
  handshakeTimeoutMs: settings.handshakeTimeout,
  idleTimeoutMs: settings.idleTimeout,
}
const listener = new RtmpListener(
  { ...settings.rtmp, limits },
  { publish: (request) => admission.publish(request), play: (request, output) => playback.play(request, output) },
  logger,
)
await recorder.start()
await listener.listen()
process.once('SIGTERM', async () => {
  await listener.close(1000)
  hub.close()
  await recorder.stop({ deadlineMs: 10_000 })
  process.exit(0)
})
