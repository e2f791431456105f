import { mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { RecordingFile } from '../../state/recording-object.ts'
import { storageError } from '../../storage/errors.ts'
import type { Job, JobContext } from '../job.ts'
import { withReason } from './conversion.ts'
import { FfmpegFailedError } from './errors.ts'
import type { FfmpegFacts } from './facts.ts'
import { type Footage, from, pictureSize, scaling, takePictures } from './footage.ts'
import { WorkFile } from './job-paths.ts'
import { JobProgress } from './job-progress.ts'
import { makeSprite, SPRITE_NAME, VTT_NAME } from './sprite.ts'
import { glance } from './survey.ts'

/** Where pictures are taken, percent of the duration. */
const PERCENTS = [0, 25, 50, 75, 100]
/** Pixels; a narrower picture stays as narrow as it is. */
const THUMBNAIL_WIDTH = 320
/** How far from the end the last picture is looked for, one after the other, seconds. */
const TAILS = [1, 5, 20, 120]

/** A file that was made for looking at. */
export interface MadePicture {
  /** In the directory. */
  readonly name: string
  readonly kind: Extract<RecordingFile['kind'], 'thumbnail' | 'sprite' | 'vtt'>
  readonly format: 'jpeg' | 'vtt'
  /** Of what it shows first, ms after the start of its source. */
  readonly offsetMs: number
}

/** What pictures are made for. Paths are absolute. */
export interface ThumbnailOrder {
  readonly job: Extract<Job, { kind: 'thumbnails' }>
  readonly input: string
  readonly directory: string
}

/**
 * Pictures at 0, 25, 50, 75 and 100 %, a sprite sheet and its WebVTT; nothing when there is no picture to be seen. Each is
 * looked for where it is: a longer file costs no more. They appear together, when all are made.
 */
export async function makeThumbnails(
  facts: FfmpegFacts,
  order: ThumbnailOrder,
  context: JobContext,
): Promise<MadePicture[]> {
  const { streams, durationSeconds } = await glance(facts, order.input, context.signal)
  const stream = streams.find(({ kind }) => kind === 'video')
  if (stream === undefined) return []
  const footage: Footage = {
    ...{ facts, input: order.input, stream, signal: context.signal },
    durationSeconds: durationSeconds ?? order.job.source.duration_ms / 1000,
  }
  const draft = new WorkFile(join(order.directory, 'thumbnails'), order.job.job_id).path
  try {
    await emptied(draft)
    const progress = new JobProgress(context)
    const pictures = await takeThumbnails(footage, draft, progress)
    await makeSprite(footage, draft, (share) => progress.advance(share / 2))
    pictures.push({ name: SPRITE_NAME, kind: 'sprite', format: 'jpeg', offsetMs: 0 })
    pictures.push({ name: VTT_NAME, kind: 'vtt', format: 'vtt', offsetMs: 0 })
    for (const { name } of pictures) await rename(join(draft, name), join(order.directory, name))
    return pictures
  } catch (error) {
    throw context.signal.aborted ? error : await withReason(error, join(order.directory, SPRITE_NAME))
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
}

async function emptied(directory: string): Promise<void> {
  try {
    await rm(directory, { recursive: true, force: true })
    await mkdir(directory, { recursive: true })
  } catch (error) {
    throw storageError(directory, 'create', error)
  }
}

async function takeThumbnails(footage: Footage, directory: string, progress: JobProgress): Promise<MadePicture[]> {
  const pictures: MadePicture[] = []
  for (const percent of PERCENTS) {
    const name = `thumb_${String(percent).padStart(3, '0')}.jpg`
    const atSeconds = (footage.durationSeconds * percent) / 100
    const path = join(directory, name)
    const isTaken =
      (percent < 100 && (await take(footage, path, atSeconds, 'first'))) || (await takeLast(footage, path))
    if (!isTaken) throw new FfmpegFailedError('made no picture', `at ${percent} % of ${footage.input}`)
    pictures.push({ name, kind: 'thumbnail', format: 'jpeg', offsetMs: Math.round(atSeconds * 1000) })
    progress.advance(0.5 / PERCENTS.length)
  }
  return pictures
}

/** Takes the last picture that can be decoded: everything near the end is, each over the one before. */
async function takeLast(footage: Footage, path: string): Promise<boolean> {
  for (const tail of [...TAILS, Number.POSITIVE_INFINITY]) {
    const atSeconds = Math.max(0, footage.durationSeconds - tail)
    if (await take(footage, path, atSeconds, 'all')) return true
    if (atSeconds === 0) return false
  }
  return false
}

async function take(footage: Footage, path: string, atSeconds: number, only: 'first' | 'all'): Promise<boolean> {
  const filter = scaling(pictureSize(footage.stream, THUMBNAIL_WIDTH))
  const shot = { path, input: 0, stream: footage.stream.index, filter, only }
  return (await takePictures(footage, from(footage, atSeconds), [shot]))[0] === true
}
