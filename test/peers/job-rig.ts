import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createJobHandler } from '../../src/jobs/ffmpeg/handler.ts'
import type { Job, JobContext, JobHandler, JobResult } from '../../src/jobs/job.ts'

const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
/** A quality that leaves everything as it is. */
export const AS_IS = { resolution: null, video_bitrate: null, audio_bitrate: null, fps: null, source_percent: null }

type Rendition = Extract<Job, { kind: 'rendition' }>

/** A recording directory of a test's own, and jobs done in it. */
export class JobRig {
  readonly directory: string
  readonly reports: { percent: number; eta: number | null }[] = []
  readonly handler: JobHandler
  readonly #abort = new AbortController()

  constructor(options: { directory?: string; ffmpegPath?: string } = {}) {
    this.directory = options.directory ?? realpathSync(mkdtempSync(join(tmpdir(), 'tapedeck-jobs-')))
    mkdirSync(this.directory, { recursive: true })
    const ffmpegPath = options.ffmpegPath ?? 'ffmpeg'
    this.handler = createJobHandler({ recordDir: this.directory, ffmpegPath, logger: quiet })
  }

  path(name: string): string {
    return join(this.directory, name)
  }

  /** What lies in the directory, hidden files too. */
  names(below = '.'): string[] {
    return readdirSync(join(this.directory, below)).sort()
  }

  context(onProgress?: (percent: number) => void): JobContext {
    return {
      signal: this.#abort.signal,
      progress: (percent, eta) => {
        this.reports.push({ percent, eta })
        onProgress?.(percent)
      },
    }
  }

  abort(reason: Error): void {
    this.#abort.abort(reason)
  }

  rendition(source: string, output: string, quality: Partial<Rendition['quality']>): Promise<JobResult> {
    return this.handler(renditionJob(source, output, quality), this.context())
  }

  remux(source: string, output: string): Promise<JobResult> {
    const { quality: _, ...rest } = renditionJob(source, output, {})
    return this.handler({ ...rest, kind: 'remux' }, this.context())
  }

  thumbnails(source: string, output: string): Promise<JobResult> {
    const { job_id, recording_id, priority, source: from } = renditionJob(source, 'x.mp4', {})
    return this.handler({ job_id, recording_id, priority, source: from, output, kind: 'thumbnails' }, this.context())
  }

  text(name: string): string {
    return readFileSync(this.path(name), 'utf8')
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true })
  }
}

/** A job whose format is that of the name of its output. */
export function renditionJob(source: string, output: string, quality: Partial<Rendition['quality']>): Rendition {
  const format = /\.(mp4|webm|mkv|flv)$/.exec(output)?.[1]
  if (format !== 'mp4' && format !== 'webm' && format !== 'mkv' && format !== 'flv') throw new Error(`${output}?`)
  return {
    ...{
      job_id: `job-${output.replaceAll('/', '-')}`,
      recording_id: 'rec-1',
      priority: 0,
      kind: 'rendition',
      output,
      format,
    },
    source: { file_id: 'source-1', participant_id: 'alice', path: source, duration_ms: 0, part: 1 },
    quality: { ...AS_IS, ...quality },
  }
}
