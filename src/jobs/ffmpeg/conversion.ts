import { statfs } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { StorageError, storageError } from '../../storage/errors.ts'
import type { JobContext } from '../job.ts'
import { runChild } from './child.ts'
import { conversionArguments, type Pass } from './conversion-arguments.ts'
import type { OutputFormat } from './encoders.ts'
import { FfmpegFailedError, PathError, VerificationError } from './errors.ts'
import type { FfmpegFacts } from './facts.ts'
import { WorkFile } from './job-paths.ts'
import { JobProgress } from './job-progress.ts'
import type { StreamPlan } from './stream-plan.ts'
import type { Survey } from './survey.ts'
import { type Verified, verify } from './verification.ts'

/** With less room than this a disk is full, whatever ffmpeg said, bytes. */
const FULL_BYTES = 64 * 1024

/** One file to be made of another. Paths are absolute. */
export interface Conversion {
  readonly jobId: string
  readonly source: Survey
  readonly output: string
  readonly format: OutputFormat
  readonly plans: readonly StreamPlan[]
}

/**
 * Makes a file beside its place, verifies it, and puts it there. Whatever happens, nothing else is left.
 * @throws FfmpegFailedError, VerificationError, StorageError; `TD_DISK_FULL` where that was the reason
 */
export async function convert(facts: FfmpegFacts, conversion: Conversion, context: JobContext): Promise<Verified> {
  const { output, source, plans } = conversion
  if (output === source.path) throw new PathError(output, 'is the source itself')
  const work = new WorkFile(output, conversion.jobId)
  await work.create()
  try {
    const progress = new JobProgress(context)
    for (const [kind, share] of passesOf(plans)) {
      const pass: Pass = { kind, log: `${work.prefix}.pass`, output: work.path }
      const args = conversionArguments(source.path, conversion.format, plans, pass, facts)
      const onLine = progress.stage(share, source.durationSeconds)
      await runChild(facts.ffmpeg, args, { signal: context.signal, onLine })
    }
    const made = { path: work.path, name: basename(output), sourcePath: source.path, plans }
    const verified = await verify(facts, made, context.signal, progress.stage(verifying(plans), source.durationSeconds))
    await work.keep()
    return verified
  } catch (error) {
    throw context.signal.aborted ? error : await withReason(error, output)
  } finally {
    await work.remove()
  }
}

/** With their shares of the time that a job takes. */
function passesOf(plans: readonly StreamPlan[]): [Pass['kind'], number][] {
  const whole = 1 - verifying(plans)
  if (!plans.some(({ encoding }) => encoding?.encoder.hasTwoPasses)) return [['only', whole]]
  return [
    ['analysis', whole * 0.35],
    ['final', whole * 0.65],
  ]
}

function verifying(plans: readonly StreamPlan[]): number {
  return plans.some(({ source, encoding }) => source.kind === 'video' && encoding !== undefined) ? 0.1 : 0.5
}

/** A full disk shows itself in many ways; it is what has to be said. */
export async function withReason(error: unknown, output: string): Promise<unknown> {
  const isSuspect = error instanceof FfmpegFailedError || error instanceof VerificationError
  if (!isSuspect || error instanceof StorageError) return error
  const wasSaid = error instanceof FfmpegFailedError && /No space left on device|Disk quota exceeded/.test(error.stderr)
  if (!wasSaid && !(await isFull(dirname(output)))) return error
  return storageError(output, 'write', Object.assign(new Error(error.message, { cause: error }), { code: 'ENOSPC' }))
}

async function isFull(directory: string): Promise<boolean> {
  const { bavail, bsize } = await statfs(directory).catch(() => ({ bavail: Number.POSITIVE_INFINITY, bsize: 1 }))
  return bavail * bsize < FULL_BYTES
}
