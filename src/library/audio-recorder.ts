import { extname } from 'node:path'
import { z } from 'zod'
import { MisuseError, UnsupportedError } from '../media/errors.ts'
import { DiskStorage } from '../storage/disk.ts'
import { FfmpegAudioFile } from './audio/ffmpeg-file.ts'
import { FlacFile } from './audio/flac-file.ts'
import { type PcmSink, pcmFormatSchema } from './audio/pcm-format.ts'
import { WavFile } from './audio/wav-file.ts'
import { BacklogError, MAX_BACKLOG_BYTES } from './backlog.ts'
import { parseOptions } from './options.ts'

/** How sound is kept. WAV and FLAC are made here; AAC, Opus and MP3 need ffmpeg. */
export type AudioRecorderFormat = 'wav' | 'flac' | 'aac' | 'opus' | 'mp3'

const BY_EXTENSION: Readonly<Record<string, AudioRecorderFormat>> = {
  '.wav': 'wav',
  '.flac': 'flac',
  '.m4a': 'aac',
  '.mp4': 'aac',
  '.opus': 'opus',
  '.ogg': 'opus',
  '.mp3': 'mp3',
}

const optionsSchema = pcmFormatSchema.extend({
  format: z.enum(['wav', 'flac', 'aac', 'opus', 'mp3']).optional(),
  bitrateBps: z.number().int().min(6000).max(512_000).optional(),
  ffmpegPath: z.string().min(1).default('ffmpeg'),
  fsync: z.enum(['interval', 'always', 'never']).default('interval'),
})

/**
 * What `AudioRecorder.open` takes: `sampleRateHz` and `channels` of the samples; `format`, otherwise told by the file's
 * extension; `bitrateBps` for encoded formats; `ffmpegPath`; `fsync`.
 */
export type AudioRecorderOptions = z.input<typeof optionsSchema>

/** Numbers of one recording. */
export interface AudioRecorderStats {
  /** Instants, each with one sample per channel. */
  readonly instants: number
  readonly durationMs: number
  /** Of the file; 0 while ffmpeg writes it. */
  readonly sizeBytes: number
  readonly backlogBytes: number
}

/**
 * PCM in, a sound file out. Lives once: `open`, any number of `writeSamples`, then `finalize` or `abort`.
 *
 * The file is new (nothing is overwritten), 0600, and plays while it grows.
 */
export class AudioRecorder {
  readonly path: string
  readonly #sink: PcmSink
  readonly #options: z.output<typeof optionsSchema>
  #instants = 0
  #ended: Promise<AudioRecorderStats> | undefined

  private constructor(path: string, sink: PcmSink, options: z.output<typeof optionsSchema>) {
    this.path = path
    this.#sink = sink
    this.#options = options
  }

  /**
   * @throws OptionsError when an option cannot be used
   * @throws UnsupportedError when neither `format` nor the extension says how to keep it
   * @throws StorageError when the file cannot be made, FileExistsError when it is there
   * @throws FfmpegMissingError for AAC, Opus and MP3 without ffmpeg
   */
  static async open(path: string, options: AudioRecorderOptions): Promise<AudioRecorder> {
    const checked = parseOptions('AudioRecorder.open', optionsSchema, options)
    const format = checked.format ?? BY_EXTENSION[extname(path).toLowerCase()]
    if (format === undefined) {
      throw new UnsupportedError(
        `${path}: no format is known by this extension; use ${Object.keys(BY_EXTENSION).join(' ')}, or give "format"`,
      )
    }
    return new AudioRecorder(path, await openSink(path, format, checked), checked)
  }

  /**
   * Takes signed 16-bit samples, channels interleaved; copied before this returns.
   * @throws MisuseError for half an instant, or after the end
   * @throws BacklogError when more than 64 MiB wait: nothing of this call was taken
   */
  writeSamples(samples: Int16Array): void {
    const { channels } = this.#options
    if (this.#ended !== undefined) throw new MisuseError(`${this.path}: samples after finalize`)
    if (samples.length % channels !== 0) {
      throw new MisuseError(`${this.path}: ${samples.length} samples are no whole number of ${channels} channels`)
    }
    if (this.#sink.backlogBytes > MAX_BACKLOG_BYTES) throw new BacklogError(this.path, this.#sink.backlogBytes)
    this.#sink.write(samples)
    this.#instants += samples.length / channels
  }

  /** Resolves when what waits to be written is little again; throws what went wrong. */
  drain(): Promise<void> {
    return this.#sink.drain()
  }

  /** Completes the file. Idempotent. @throws StorageError or FfmpegFailedError */
  finalize(): Promise<AudioRecorderStats> {
    this.#ended ??= this.#sink.finish().then(() => this.getStats())
    return this.#ended
  }

  /** Gives up: what the file holds so far stays, playable. Never throws. */
  async abort(): Promise<void> {
    if (this.#ended === undefined) this.#ended = this.#sink.abort().then(() => this.getStats())
    await this.#ended.catch(() => undefined)
  }

  getStats(): AudioRecorderStats {
    return {
      instants: this.#instants,
      durationMs: Math.round((this.#instants * 1000) / this.#options.sampleRateHz),
      sizeBytes: this.#sink.sizeBytes,
      backlogBytes: this.#sink.backlogBytes,
    }
  }
}

async function openSink(
  path: string,
  format: AudioRecorderFormat,
  options: z.output<typeof optionsSchema>,
): Promise<PcmSink> {
  const { sampleRateHz, channels, bitrateBps, ffmpegPath, fsync } = options
  const storage = new DiskStorage({ fsync })
  const file = await storage.create(path)
  if (format === 'wav') return new WavFile(file, { sampleRateHz, channels })
  if (format === 'flac') return new FlacFile(file, { sampleRateHz, channels })
  await file.close()
  try {
    const settings = { codec: format, bitrateBps, command: ffmpegPath }
    return await FfmpegAudioFile.start(path, { sampleRateHz, channels }, settings)
  } catch (error) {
    await storage.remove(path)
    throw error
  }
}
