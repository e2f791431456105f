import { ByteWriter } from '../../media/bytes.ts'
import type { OutputFile } from '../../storage/ports.ts'
import type { PcmFormat, PcmSink } from './pcm-format.ts'

const MAX_32 = 0xffffffff
const WAVE_FORMAT_PCM = 1 // mmreg.h
const WAVE_FORMAT_EXTENSIBLE = 0xfffe // mmreg.h
const PCM_BYTES = 16 // of the fmt chunk
const EXTENSIBLE_BYTES = 40
/** KSDATAFORMAT_SUBTYPE_PCM as it lies in the file. */
const PCM_SUBFORMAT = Uint8Array.of(1, 0, 0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71)
/** dwChannelMask by the number of channels: the usual speakers. */
const SPEAKERS: Readonly<Record<number, number>> = { 3: 0x7, 4: 0x33, 5: 0x37, 6: 0x3f, 7: 0x13f, 8: 0x63f }

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

/** The header of a WAV with `dataBytes` of sound; more than two channels come with their speakers named. */
export function wavHeader({ sampleRateHz, channels }: PcmFormat, dataBytes: number): Uint8Array {
  const formatBytes = channels > 2 ? EXTENSIBLE_BYTES : PCM_BYTES
  const headerBytes = 12 + 36 + 8 + formatBytes + 8
  const riffBytes = headerBytes - 8 + dataBytes
  const large = riffBytes > MAX_32
  const out = new ByteWriter(headerBytes)
  out
    .ascii(large ? 'RF64' : 'RIFF')
    .u32le(large ? MAX_32 : riffBytes)
    .ascii('WAVE')
  out.ascii(large ? 'ds64' : 'JUNK').u32le(28)
  if (large) u64le(u64le(u64le(out, riffBytes), dataBytes), dataBytes / (2 * channels)).zero(4)
  else out.zero(28)
  out.ascii('fmt ').u32le(formatBytes)
  out.u16le(channels > 2 ? WAVE_FORMAT_EXTENSIBLE : WAVE_FORMAT_PCM).u16le(channels)
  out.u32le(sampleRateHz).u32le(sampleRateHz * channels * 2)
  out.u16le(channels * 2).u16le(16)
  if (channels > 2)
    out
      .u16le(22)
      .u16le(16)
      .u32le(SPEAKERS[channels] ?? 0)
      .put(PCM_SUBFORMAT)
  out.ascii('data').u32le(large ? MAX_32 : dataBytes)
  return out.done()
}

function u64le(out: ByteWriter, value: number): ByteWriter {
  return out.u32le(value % 2 ** 32).u32le(Math.floor(value / 2 ** 32))
}
