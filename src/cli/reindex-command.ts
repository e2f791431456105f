import { resolve } from 'node:path'
import { Command } from 'commander'
import type { Settings } from '../config.ts'
import { ManifestStore } from '../service/manifest.ts'
import { Reindex, type ReindexReport } from '../service/reindex.ts'
import { openStateStore } from '../state/open-store.ts'
import { DiskStorage } from '../storage/disk.ts'
import { EXIT, EXIT_CODES_HELP } from './exit-codes.ts'
import { countText, plainText } from './figures.ts'
import { processLog } from './log.ts'
import { ProgressLine } from './progress-line.ts'
import { addSettings, settingsOf } from './settings-flags.ts'

/** Lines of each kind that are printed for a person; `--json` has all. */
const MAX_LINES = 20

interface ReindexFlags {
  readonly prune?: true
  readonly json?: true
}

/** `tapedeck reindex`. */
export function reindexCommand(done: (exitCode: number) => void): Command {
  const command = new Command('reindex')
    .description('Rebuild the catalogue of recordings from the manifests beside their files')
    .option('--prune', 'drop recordings whose manifest is gone from the record directory')
    .option('--json', 'one JSON object on standard output')
    .addHelpText(
      'after',
      `
Manifests (recording.json, *.recording.json) are the lasting truth; the state in --data-dir or Redis is a copy for finding
them. Rebuild it after it was lost, or after directories were moved, copied or restored. A server may be running.

With --redis and several servers, each with a disk of its own: run it on each, and --prune only where all files are.

Examples:
  tapedeck reindex --record-dir /srv/recordings --data-dir /var/lib/tapedeck
  tapedeck reindex --redis redis://127.0.0.1:6379 --json
${EXIT_CODES_HELP}`,
    )
  addSettings(command, [
    ...(['dataDir', 'recordDir', 'redis', 'redisPrefix', 'redisStateTtl', 'redisIndexTtl'] as const),
  ])
  return command.action(async (flags: ReindexFlags) => {
    const report = await reindex(settingsOf(command), flags.prune === true)
    process.stdout.write(flags.json ? `${JSON.stringify(report, null, 2)}\n` : describeReport(report))
    done(report.faulty.length === 0 ? EXIT.ok : EXIT.partly)
  })
}

async function reindex(settings: Settings, prune: boolean): Promise<ReindexReport> {
  const log = processLog({ logLevel: 'error', logFormat: settings.logFormat })
  const { logger } = log
  const store = await openStateStore({
    dataDir: settings.dataDir,
    redisUrl: settings.redis,
    prefix: settings.redisPrefix,
    stateTtlMs: settings.redisStateTtl,
    indexTtlMs: settings.redisIndexTtl,
    logger,
  })
  const progress = new ProgressLine()
  try {
    const manifests = new ManifestStore({ storage: new DiskStorage(), recordDir: resolve(settings.recordDir), logger })
    return await new Reindex({
      recordings: store.recordings,
      manifests,
      prune,
      onProgress: (read, total) => progress.draw(`${read} of ${countText(total, 'manifest')}`),
    }).run()
  } finally {
    progress.clear()
    await store.close()
    log.flush()
  }
}

function describeReport(report: ReindexReport): string {
  const { found, added, updated, unchanged, dropped } = report
  return [
    `${countText(found, 'recording')} found: ${added} added, ${updated} updated, ${unchanged} unchanged; ${dropped} dropped\n`,
    ...listed('without a manifest; --prune drops them:', report.missing),
    ...listed('missing files:', report.missingFiles),
    ...listed(
      'copies that do not count:',
      report.copies.map(({ path, instead }) => `${path} (instead: ${instead})`),
    ),
    ...listed(
      'not read:',
      report.faulty.map(({ message }) => message),
    ),
  ].join('')
}

function listed(title: string, items: readonly string[]): string[] {
  if (items.length === 0) return []
  const shown = items.slice(0, MAX_LINES).map((item) => `  ${plainText(item)}\n`)
  const rest = items.length - shown.length
  return [`${items.length} ${title}\n`, ...shown, ...(rest > 0 ? [`  and ${rest} more\n`] : [])]
}
