import { constants, existsSync } from 'node:fs'
import { copyFile, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { Command } from 'commander'
import { statePath } from '../config.ts'
import { formatOfPath, repairContainer } from '../container/formats.ts'
import type { RepairReport } from '../container/reader.ts'
import { TapedeckError } from '../media/errors.ts'
import { isProcessOf } from '../recorder/process-life.ts'
import { SqliteJournal } from '../state/sqlite-journal.ts'
import { DiskStorage } from '../storage/disk.ts'
import { storageError } from '../storage/errors.ts'
import { EXIT, EXIT_CODES_HELP } from './exit-codes.ts'
import { bytesText, countText, plainText, timeText } from './figures.ts'
import { describeProblem } from './problem.ts'
import { ProgressLine } from './progress-line.ts'
import { addSettings, settingsOf } from './settings-flags.ts'

/** Files that are looked for below a directory. */
const MAX_FILES = 100_000

/** A running server writes this file: repairing it now would break it. */
export class FileInUseError extends TapedeckError {
  readonly code = 'TD_FILE_IN_USE'
  readonly fault = 'caller'

  constructor(path: string, pid: number) {
    super(`${path} is being recorded by process ${pid}; stop that first, or wait until the recording ends`)
  }
}

interface RepairFlags {
  readonly keepOriginal?: true
  readonly json?: true
}

/** `tapedeck repair <file|dir>…`. */
export function repairCommand(done: (exitCode: number) => void): Command {
  const command = new Command('repair')
    .description(
      'Mend recordings that a crash, a full disk or a power cut left: torn tails, missing index and duration',
    )
    .argument('<path...>', 'files, or directories with files (.mp4 .flv .mkv .webm .weba .ogg) below them')
    .option('--keep-original', 'keep what was there as {file}.original')
    .option('--json', 'one JSON line per file on standard output')
    .addHelpText(
      'after',
      `
Whole files are left as they are. A server repairs by itself, at its start, what its last run left.

Examples:
  tapedeck repair recordings
  tapedeck repair --keep-original lecture.mp4
${EXIT_CODES_HELP}`,
    )
  addSettings(command, ['dataDir'])
  return command.action(async (paths: string[], flags: RepairFlags) => {
    const inUse = filesInUse(statePath(settingsOf(command)))
    let mended = 0
    let failed = 0
    for (const path of await expand(paths)) (await repairOne(path, flags, inUse)) ? mended++ : failed++
    if (!flags.json && mended + failed !== 1) {
      process.stdout.write(`${countText(mended, 'file')} whole${failed > 0 ? `, ${failed} not` : ''}\n`)
    }
    done(failed === 0 ? EXIT.ok : mended === 0 ? EXIT.failed : EXIT.partly)
  })
}

/** The process that writes each path now. */
function filesInUse(path: string): ReadonlyMap<string, number> {
  if (!existsSync(path)) return new Map()
  const journal = new SqliteJournal(path)
  try {
    return new Map(
      journal.list().flatMap((entry) => (isProcessOf(entry.pid, entry.startedAtMs) ? [[entry.path, entry.pid]] : [])),
    )
  } finally {
    journal.close()
  }
}

async function expand(paths: readonly string[]): Promise<string[]> {
  const files: string[] = []
  for (const path of paths) {
    const facts = await stat(path).catch((error: unknown) => {
      throw storageError(path, 'open', error)
    })
    if (!facts.isDirectory()) files.push(path)
    else {
      const found = (await new DiskStorage().list(path, MAX_FILES)).map((file) => file.path)
      files.push(...found.filter((file) => formatOfPath(file) !== undefined).sort())
    }
  }
  return files
}

async function repairOne(path: string, flags: RepairFlags, inUse: ReadonlyMap<string, number>): Promise<boolean> {
  const progress = new ProgressLine()
  const say = (text: string, facts: object): void => {
    progress.clear()
    process.stdout.write(flags.json ? `${JSON.stringify({ path, ...facts })}\n` : `${plainText(path)}: ${text}\n`)
  }
  try {
    const pid = inUse.get(resolve(path))
    if (pid !== undefined) throw new FileInUseError(path, pid)
    const report = await repairFile(path, flags.keepOriginal === true, progress)
    say(describeRepair(report), { ok: true, ...report })
    return true
  } catch (error) {
    if (!(error instanceof TapedeckError)) throw error
    say(`not repaired: ${describeProblem(error)}`, { ok: false, error: { code: error.code, message: error.message } })
    return false
  } finally {
    progress.clear()
  }
}

async function repairFile(path: string, keepOriginal: boolean, progress: ProgressLine): Promise<RepairReport> {
  if (keepOriginal) {
    const kept = `${path}.original`
    await copyFile(path, kept, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE).catch((error: unknown) => {
      throw storageError(kept, 'copy to', error)
    })
  }
  const file = await new DiskStorage().open(path)
  try {
    return await repairContainer(file, (doneBytes, totalBytes) =>
      progress.draw(`${path}: ${bytesText(doneBytes)} of ${bytesText(totalBytes)}`),
    )
  } finally {
    await file.close()
  }
}

function describeRepair(report: RepairReport): string {
  const kept = `${countText(report.frames, 'frame')}, ${timeText(report.durationMs)}`
  if (!report.changed) return `whole (${kept})`
  const lost = report.lostBytes === 0 ? 'nothing lost' : `${bytesText(report.lostBytes)} of a torn tail lost`
  const faults = report.faults.map(
    (fault) => `\n  at byte ${fault.offset}: ${plainText(fault.message)} (${fault.kind})`,
  )
  return `repaired: ${kept} kept, ${lost}${faults.join('')}`
}
