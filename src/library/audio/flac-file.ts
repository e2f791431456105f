import { createHash } from 'node:crypto'
import { ByteWriter } from '../../media/bytes.ts'
import type { OutputFile } from '../../storage/ports.ts'
import { FlacBits } from './flac-bits.ts'
import { roughness, writeSubframe } from './flac-subframe.ts'
import type { PcmFormat, PcmSink } from './pcm-format.ts'

/** Instants per frame: 85 ms at 48 kHz. The streamable subset allows 4608 up to 48 kHz. RFC 9639 §7 */
const BLOCK_SIZE = 4096
const STREAMINFO_OFFSET = 8
/** Codes of the frame header for the usual rates. §9.1.2 */
const RATE_CODES: Readonly<Record<number, number>> = {
  88200: 1,
  176400: 2,
  192000: 3,
  8000: 4,
  16000: 5,
  22050: 6,
  24000: 7,
  32000: 8,
  44100: 9,
  48000: 10,
  96000: 11,
}

/** A FLAC file (RFC 9639) of 16-bit sound, fixed predictors only. Playable after every frame; its length and MD5 are patched in at the end. */
export class FlacFile implements PcmSink {
  readonly #file: OutputFile
  readonly #format: PcmFormat
  readonly #md5 = createHash('md5')
  readonly #bits = new FlacBits()
  readonly #pending: Int16Array
  #pendingSamples = 0
  #instants = 0
  #frames = 0
  #minFrameBytes = 0xffffff
  #maxFrameBytes = 0

  constructor(file: OutputFile, format: PcmFormat) {
    this.#file = file
    this.#format = format
    this.#pending = new Int16Array(BLOCK_SIZE * format.channels)
    file.write(Buffer.from('fLaC'))
    file.write(Uint8Array.of(0x80, 0, 0, 34)) // last metadata block, STREAMINFO, §8.1
    file.write(this.#streamInfo(new Uint8Array(16)))
    file.commit()
  }

  get backlogBytes(): number {
    return this.#file.backlogBytes
  }
  get sizeBytes(): number {
    return this.#file.position
  }

  write(samples: Int16Array): void {
    this.#md5.update(littleEndian(samples))
    for (let at = 0; at < samples.length; ) {
      const piece = samples.subarray(at, at + this.#pending.length - this.#pendingSamples)
      this.#pending.set(piece, this.#pendingSamples)
      this.#pendingSamples += piece.length
      at += piece.length
      if (this.#pendingSamples === this.#pending.length) this.#frame()
    }
  }

  drain(): Promise<void> {
    return this.#file.drain()
  }

  async finish(): Promise<void> {
    if (this.#pendingSamples > 0) this.#frame()
    this.#file.patch(STREAMINFO_OFFSET, this.#streamInfo(this.#md5.digest()))
    await this.#file.close()
  }

  abort(): Promise<void> {
    return this.#file.abort()
  }

  /** §8.2. A length of 0 and an MD5 of zeros mean unknown: what a crash leaves is valid. */
  #streamInfo(md5: Uint8Array): Uint8Array {
    const out = new ByteWriter()
    out.u16(BLOCK_SIZE)
    out.u16(BLOCK_SIZE)
    out.u24(this.#maxFrameBytes === 0 ? 0 : this.#minFrameBytes)
    out.u24(this.#maxFrameBytes)
    const { sampleRateHz, channels } = this.#format
    out.u32(((sampleRateHz << 12) | ((channels - 1) << 9) | (15 << 4) | Math.floor(this.#instants / 2 ** 32)) >>> 0)
    out.u32(this.#instants % 2 ** 32)
    out.put(md5)
    return out.done()
  }

  #frame(): void {
    const { channels } = this.#format
    const instants = this.#pendingSamples / channels
    const signals = Array.from({ length: channels }, (_, channel) =>
      Int32Array.from({ length: instants }, (_, i) => this.#pending[i * channels + channel]),
    )
    const sides = channels === 2 ? midSide(signals[0], signals[1]) : undefined
    this.#bits.reset()
    this.#header(instants, sides === undefined ? channels - 1 : 0b1010)
    if (sides === undefined) for (const signal of signals) writeSubframe(this.#bits, signal, 16)
    else {
      writeSubframe(this.#bits, sides.mid, 16)
      writeSubframe(this.#bits, sides.side, 17)
    }
    this.#bits.align()
    this.#bits.put(this.#bits.crc16(), 16)
    const bytes = this.#bits.view()
    this.#file.write(bytes)
    this.#file.commit()
    this.#minFrameBytes = Math.min(this.#minFrameBytes, bytes.length)
    this.#maxFrameBytes = Math.max(this.#maxFrameBytes, bytes.length)
    this.#instants += instants
    this.#frames++
    this.#pendingSamples = 0
  }

  /** §9.1: fixed block size, so the coded number is the frame's. */
  #header(instants: number, channelCode: number): void {
    const bits = this.#bits
    const { sampleRateHz } = this.#format
    const rateCode = RATE_CODES[sampleRateHz] ?? (sampleRateHz < 65_536 ? 0b1101 : 0)
    bits.put(0xfff8, 16)
    bits.put(instants === BLOCK_SIZE ? 0b1100 : 0b0111, 4)
    bits.put(rateCode, 4)
    bits.put(channelCode, 4)
    bits.put(0b100_0, 4) // 16 bits a sample
    for (const byte of codedNumber(this.#frames)) bits.put(byte, 8)
    if (instants !== BLOCK_SIZE) bits.put(instants - 1, 16)
    if (rateCode === 0b1101) bits.put(sampleRateHz, 16)
    bits.put(bits.crc8(), 8)
  }
}

/** Mid and side where that compresses better than left and right. §4.2 */
function midSide(left: Int32Array, right: Int32Array): { mid: Int32Array; side: Int32Array } | undefined {
  const mid = left.map((sample, i) => (sample + right[i]) >> 1)
  const side = left.map((sample, i) => sample - right[i])
  return roughness(mid) + roughness(side) < roughness(left) + roughness(right) ? { mid, side } : undefined
}

/** Up to 31 bits in the manner of UTF-8. §9.1.5 */
function codedNumber(value: number): number[] {
  if (value < 0x80) return [value]
  const tail: number[] = []
  let rest = value
  let room = 0x3f
  while (rest > room) {
    tail.unshift(0x80 | (rest & 0x3f))
    rest >>>= 6
    room >>>= 1
  }
  return [((~room << 1) & 0xff) | rest, ...tail]
}

function littleEndian(samples: Int16Array): Uint8Array {
  return new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength)
}
