import { createHash } from 'node:crypto'
import { dirname, extname, join, relative, sep } from 'node:path'
import type { Job } from '../jobs/job.ts'
import type { CatalogueEntry } from '../state/catalogue-entry.ts'
import type { RecordingFile } from '../state/recording-object.ts'
import { locateFile } from './manifest-place.ts'
import { qualityAim } from './quality.ts'
import { mainFile } from './recorded-files.ts'

/** As the schema of entries has it, with room for thumbnails. */
const MAX_JOBS = 990
/** Of pictures, which nobody waits for as for a rendition. */
const PICTURES_LATER = -10
const CONTAINERS = ['mp4', 'webm', 'mkv', 'flv'] as const
type Container = (typeof CONTAINERS)[number]

/**
 * What has to be done before a recording is completed: another quality, or a container that was asked for and could not hold
 * what was published. One job per source file; the same entry always gives the same jobs.
 */
export function requiredJobs(entry: CatalogueEntry, recordDir: string): Job[] {
  const { quality, quality_settings, files } = entry.recording
  const jobs: Job[] = []
  for (const file of files) {
    if (!isWhole(file) || jobs.length >= MAX_JOBS) continue
    const path = locateFile(entry, file, recordDir)
    const stem = path.slice(0, path.length - extname(path).length)
    const format = targetOf(entry, file)
    if (format === undefined) continue
    const base = { ...identity(entry, 'rendition', file), source: sourceOf(file, path, recordDir), format }
    if (quality !== 'source') {
      const output = below(recordDir, `${stem}_${quality.replaceAll(/\W+/g, '')}.${format}`)
      const aim = { ...quality_settings, source_percent: qualityAim(quality).source_percent }
      jobs.push({ ...base, kind: 'rendition', output, quality: aim })
    } else if (format !== file.format && !staysAsItIs(entry, file)) {
      const output = below(recordDir, `${stem}.${format}`)
      jobs.push({ ...base, ...identity(entry, 'remux', file), kind: 'remux', output })
    }
  }
  return jobs
}

/** Pictures of the main file, where it has any and they were asked for. */
export function thumbnailsJob(entry: CatalogueEntry, recordDir: string): Job | undefined {
  if (entry.options?.thumbnails !== true || entry.manifest_path === null) return undefined
  const { files } = entry.recording
  const main = mainFile(files.filter(hasPicture))
  if (main === undefined || main.duration_ms <= 0) return undefined
  const source = sourceOf(main, locateFile(entry, main, recordDir), recordDir)
  const output = below(recordDir, join(dirname(entry.manifest_path), 'thumbnails'))
  return { ...identity(entry, 'thumbnails', main), kind: 'thumbnails', source, output }
}

function isWhole({ kind, state, duration_ms }: RecordingFile): boolean {
  return kind === 'source' && state !== 'removed' && duration_ms > 0
}

function hasPicture({ kind, tracks }: RecordingFile): boolean {
  return (
    (kind === 'rendition' || kind === 'remux' || kind === 'source') && tracks.some((track) => track.kind === 'video')
  )
}

/** The container of the result: the file's own where that stays as it is. No job writes Ogg: WebM holds the same. */
function targetOf(entry: CatalogueEntry, file: RecordingFile): Container | undefined {
  const own = file.format === 'ogg' ? 'webm' : CONTAINERS.find((format) => format === file.format)
  const asked = entry.options?.format ?? 'auto'
  return staysAsItIs(entry, file) || asked === 'auto' ? own : asked
}

/** What is recorded because everything is stays in the container that holds it, and so does sound that has a format of its own. */
function staysAsItIs(entry: CatalogueEntry, file: RecordingFile): boolean {
  const { format = 'auto', audio_format = 'auto' } = entry.options ?? {}
  if (entry.automatic || format === 'auto') return true
  return audio_format !== 'auto' && file.tracks.every(({ kind }) => kind === 'audio')
}

function identity(entry: CatalogueEntry, kind: Job['kind'], file: RecordingFile) {
  const { recording_id } = entry.recording
  const of = createHash('sha256').update(`${recording_id}/${file.file_id}`).digest('hex') // file ids are a recording's own
  return { job_id: `${kind}-${of.slice(0, 32)}`, recording_id, priority: kind === 'thumbnails' ? PICTURES_LATER : 0 }
}

function sourceOf(file: RecordingFile, path: string, recordDir: string): Job['source'] {
  const { file_id, participant_id, duration_ms, part } = file
  return { file_id, participant_id, path: below(recordDir, path), duration_ms, part }
}

function below(recordDir: string, path: string): string {
  return relative(recordDir, path).replaceAll(sep, '/')
}
