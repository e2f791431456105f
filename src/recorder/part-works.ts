import type { Track } from '../media/track.ts'
import { chooseFormat } from './format-choice.ts'
import type { Part } from './part.ts'
import { createPart } from './part-creation.ts'
import type { PartSequenceOptions } from './part-sequence-options.ts'
import type { PartReason } from './segmenter.ts'
import type { RecordingServices } from './services.ts'

/** What takes its time with the parts of one recording: they are created, finished and removed while frames go on. */
export class PartWorks {
  readonly #services: RecordingServices
  readonly #options: PartSequenceOptions
  readonly #underWay = new Set<Promise<void>>()

  constructor(services: RecordingServices, options: PartSequenceOptions) {
    this.#services = services
    this.#options = options
  }

  /** The part behind `before`, for `tracks`, with its header. @throws StorageError, LimitError as `createPart` */
  create(before: readonly Part[], tracks: readonly Track[], reason: PartReason): Promise<Part> {
    const { recordingId, address, title, path, directory, format, audioFormat, startedAtMs, firstPart } = this.#options
    const choice = chooseFormat({
      asked: format,
      askedAudio: path === undefined ? audioFormat : 'auto',
      tracks,
      video: this.#options.video(),
      last: before.at(-1)?.identity.format,
    })
    return createPart(this.#services, {
      recordingId,
      address,
      title,
      path,
      directory,
      ...choice,
      inBandSets: this.#options.resizes(),
      askedFormat: format,
      index: firstPart + before.length,
      reason,
      recordingStartedAtMs: startedAtMs,
      tracks,
    })
  }

  /** Brings an open part to its end, without waiting; what is no more open is left alone. `frontUs`: how far the recording is. */
  finish(part: Part, frontUs: number): void {
    if (part.state !== 'open') return
    part.endUs = Math.max(part.zeroUs ?? 0, frontUs)
    this.follow(this.#services.finisher.finish(part))
  }

  /** `settle` waits for `work`, too. */
  follow(work: Promise<void>): void {
    const { logger } = this.#services
    const done = work
      .catch((error: unknown) => logger.error({ err: error, ...this.#options.address }, 'recorder failed'))
      .finally(() => this.#underWay.delete(done))
    this.#underWay.add(done)
  }

  /** Resolves when nothing is under way any more, however it went. */
  async settle(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay)
  }

  /** Removes the files of `parts`, once nothing is under way. */
  async discard(parts: readonly Part[]): Promise<void> {
    await this.settle()
    const { finisher, logger } = this.#services
    for (const part of parts) {
      if (part.state === 'removed') continue
      await finisher.discard(part, 'cancelled').catch((error: unknown) => {
        logger.error({ err: error, path: part.path }, 'file of a cancelled recording could not be removed')
      })
    }
  }
}
