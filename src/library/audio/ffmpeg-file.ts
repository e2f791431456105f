import { FfmpegChild } from '../ffmpeg.ts'
import type { PcmFormat, PcmSink } from './pcm-format.ts'

/** Codecs that ffmpeg makes for us. */
export type EncodedAudio = 'aac' | 'opus' | 'mp3'

/** How each is made: encoder, container, and what lets the file play while it grows. */
const RECIPES: Readonly<Record<EncodedAudio, readonly string[]>> = {
  aac: [
    '-c:a',
    'aac',
    '-f',
    'mp4',
    '-movflags',
    '+frag_keyframe+empty_moov+default_base_moof',
    '-frag_duration',
    '1000000',
  ],
  opus: ['-c:a', 'libopus', '-f', 'ogg', '-page_duration', '500000'],
  mp3: ['-c:a', 'libmp3lame', '-f', 'mp3'],
}

/** A file of encoded sound, made by an ffmpeg of its own. */
export class FfmpegAudioFile implements PcmSink {
  readonly #child: FfmpegChild
  readonly sizeBytes = 0

  private constructor(child: FfmpegChild) {
    this.#child = child
  }

  /** `path` must exist, empty: it keeps its mode. @throws FfmpegMissingError */
  static async start(
    path: string,
    format: PcmFormat,
    settings: { codec: EncodedAudio; bitrateBps: number | undefined; command: string },
  ): Promise<FfmpegAudioFile> {
    const input = ['-f', 's16le', '-ar', String(format.sampleRateHz), '-ac', String(format.channels), '-i', 'pipe:0']
    const rate = settings.bitrateBps === undefined ? [] : ['-b:a', String(settings.bitrateBps)]
    const output = [...RECIPES[settings.codec], ...rate, '-flush_packets', '1', '-y', `file:${path}`]
    return new FfmpegAudioFile(await FfmpegChild.start(settings.command, [...input, ...output]))
  }

  get backlogBytes(): number {
    return this.#child.backlogBytes
  }

  write(samples: Int16Array): void {
    this.#child.write(Buffer.from(new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength)))
  }

  drain(): Promise<void> {
    return this.#child.drain()
  }

  finish(): Promise<void> {
    return this.#child.finish()
  }

  abort(): Promise<void> {
    return this.#child.kill()
  }
}
