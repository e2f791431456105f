import { join } from 'node:path'
import type { Logger } from '../../media/ports.ts'
import type { Job, JobContext, JobHandler, JobResult } from '../job.ts'
import { convert } from './conversion.ts'
import { type FfmpegFacts, probeFfmpeg } from './facts.ts'
import { pathBelow } from './job-paths.ts'
import { resultFile } from './result-file.ts'
import { planRemux, planRendition } from './stream-plan.ts'
import { survey } from './survey.ts'
import { makeThumbnails } from './thumbnails.ts'

/** What the jobs done by ffmpeg need to know. */
export interface JobHandlerOptions {
  /** What the paths of jobs are relative to. */
  readonly recordDir: string
  /** Name or path; ffprobe is looked for beside it. */
  readonly ffmpegPath: string
  readonly logger: Logger
  /** Encode on a chip where there is one that works. False by default: in software bitrates are met more closely. */
  readonly prefersHardware?: boolean
}

/** What all jobs are done with. */
interface Workshop extends JobHandlerOptions {
  facts(): Promise<FfmpegFacts>
}

/**
 * Does renditions, remuxes and thumbnails with ffmpeg, which is looked at when the first job comes, and again after it was
 * missing. Every job can be repeated: its results have the same names and ids each time.
 *
 * It throws `TD_FFMPEG_MISSING`, `TD_FFMPEG_OUTDATED`, `TD_FFMPEG_FAILED`, `TD_VERIFICATION`, `TD_PATH`, `TD_MALFORMED` and
 * `TD_UNSUPPORTED` for sources, `TD_DISK_FULL` and other storage errors, and the reason of the signal.
 */
export function createJobHandler(options: JobHandlerOptions): JobHandler {
  let known: Promise<FfmpegFacts> | undefined
  const facts = () => {
    const asked = known ?? probeFfmpeg(options.ffmpegPath)
    known = asked
    asked.catch(() => {
      if (known === asked) known = undefined
    })
    return asked
  }
  const workshop: Workshop = { ...options, facts }
  return async (job, context) => {
    const began = performance.now()
    const result = await work(workshop, job, context)
    const tookMs = Math.round(performance.now() - began)
    options.logger.info({ job: job.job_id, recording: job.recording_id, kind: job.kind, tookMs }, 'job done')
    return result
  }
}

function work(workshop: Workshop, job: Job, context: JobContext): Promise<JobResult> {
  switch (job.kind) {
    case 'rendition':
    case 'remux':
      return makeFile(workshop, job, context)
    case 'thumbnails':
      return makePictures(workshop, job, context)
    default:
      return job satisfies never
  }
}

async function makeFile(
  workshop: Workshop,
  job: Exclude<Job, { kind: 'thumbnails' }>,
  context: JobContext,
): Promise<JobResult> {
  const input = await pathBelow(workshop.recordDir, job.source.path, true)
  const output = await pathBelow(workshop.recordDir, job.output, false)
  const facts = await workshop.facts()
  const source = await survey(facts, input, context.signal)
  const choice = { facts, prefersHardware: workshop.prefersHardware ?? false }
  const plans =
    job.kind === 'remux'
      ? planRemux(source, job.format, choice)
      : planRendition(source, job.format, job.quality, choice)
  const conversion = { jobId: job.job_id, source, output, format: job.format, plans }
  const verified = await convert(facts, conversion, context)
  const file = await resultFile(job, {
    ...{ kind: job.kind, format: job.format, path: job.output, absolutePath: output },
    durationMs: Math.round(verified.survey.durationSeconds * 1000),
    offsetMs: -Math.round(verified.shiftSeconds * 1000) || 0,
    streams: verified.survey.streams,
  })
  return { files: [file] }
}

async function makePictures(
  workshop: Workshop,
  job: Extract<Job, { kind: 'thumbnails' }>,
  context: JobContext,
): Promise<JobResult> {
  const input = await pathBelow(workshop.recordDir, job.source.path, true)
  const directory = await pathBelow(workshop.recordDir, job.output, false)
  const pictures = await makeThumbnails(await workshop.facts(), { job, input, directory }, context)
  const files = pictures.map(({ name, ...picture }) =>
    resultFile(job, {
      ...{ ...picture, path: `${job.output.replace(/\/+$/, '')}/${name}`, absolutePath: join(directory, name) },
      ...{ durationMs: 0, streams: [] },
    }),
  )
  return { files: await Promise.all(files) }
}
