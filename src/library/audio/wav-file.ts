import type { OutputFile } from '../../storage/ports.ts'
import type { PcmFormat, PcmSink } from './pcm-format.ts'

/** RIFF header, a chunk with room for ds64, fmt and the data chunk's header, bytes. */
const HEADER_BYTES = 12 + 36 + 24 + 8
const MAX_32 = 0xffffffff

/**
 * A WAV file of 16-bit sound. Its sizes are patched in with every second of sound, so it is valid while it grows; beyond
 * 4 GiB it becomes RF64 (EBU Tech 3306), for which room is kept.
 */
export class WavFile implements PcmSink {
  readonly #file: OutputFile
  readonly #format: PcmFormat
  #dataBytes = 0
  #statedBytes = 0

  constructor(file: OutputFile, format: PcmFormat) {
    this.#file = file
    this.#format = format
    file.write(wavHeader(format, 0))
    file.commit()
  }

  get backlogBytes(): number {
    return this.#file.backlogBytes
  }
  get sizeBytes(): number {
    return this.#file.position
  }

  write(samples: Int16Array): void {
    this.#file.write(new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength))
    this.#file.commit()
    this.#dataBytes += samples.byteLength
    const { sampleRateHz, channels } = this.#format
    if (this.#dataBytes - this.#statedBytes >= sampleRateHz * channels * 2) this.#state()
  }

  drain(): Promise<void> {
    return this.#file.drain()
  }

  async finish(): Promise<void> {
    this.#state()
    await this.#file.close()
  }

  abort(): Promise<void> {
    return this.#file.abort()
  }

  #state(): void {
    this.#file.patch(0, wavHeader(this.#format, this.#dataBytes))
    this.#statedBytes = this.#dataBytes
  }
}

/** The first 80 bytes of a WAV with `dataBytes` of sound. Data of an odd length cannot be: samples have two bytes. */
export function wavHeader({ sampleRateHz, channels }: PcmFormat, dataBytes: number): Uint8Array {
  const out = Buffer.alloc(HEADER_BYTES)
  const riffBytes = HEADER_BYTES - 8 + dataBytes
  const large = riffBytes > MAX_32
  out.write(large ? 'RF64' : 'RIFF', 0)
  out.writeUInt32LE(large ? MAX_32 : riffBytes, 4)
  out.write('WAVE', 8)
  out.write(large ? 'ds64' : 'JUNK', 12)
  out.writeUInt32LE(28, 16)
  if (large) {
    out.writeBigUInt64LE(BigInt(riffBytes), 20)
    out.writeBigUInt64LE(BigInt(dataBytes), 28)
    out.writeBigUInt64LE(BigInt(dataBytes / (2 * channels)), 36)
  }
  out.write('fmt ', 48)
  out.writeUInt32LE(16, 52)
  out.writeUInt16LE(1, 56) // WAVE_FORMAT_PCM
  out.writeUInt16LE(channels, 58)
  out.writeUInt32LE(sampleRateHz, 60)
  out.writeUInt32LE(sampleRateHz * channels * 2, 64)
  out.writeUInt16LE(channels * 2, 68)
  out.writeUInt16LE(16, 70)
  out.write('data', 72)
  out.writeUInt32LE(large ? MAX_32 : dataBytes, 76)
  return out
}
