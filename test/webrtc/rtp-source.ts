import { RtpPacket } from '../../src/rtp/packet.ts'
import type { RtcpPacket } from '../../src/rtp/rtcp.ts'
import { RtpWriter } from '../../src/rtp/rtp-writer.ts'

/** How a source numbers and marks its packets. */
export interface RtpSourceOptions {
  readonly ssrc: number
  readonly payloadType: number
  readonly clockRateHz: number
  readonly rtx?: { readonly ssrc: number; readonly payloadType: number }
  /** Extension identifiers with what they say: MID, RID. */
  readonly extensions?: Readonly<Record<number, string>>
  /** Of retransmissions. */
  readonly rtxExtensions?: Readonly<Record<number, string>>
  readonly firstSequence?: number
}

/** A sender's stream: frames to packets, and packets again when they are asked for. */
export class RtpSource {
  readonly options: RtpSourceOptions
  /** What frames hold, in the order that they were made. */
  readonly sent: Buffer[] = []
  readonly #kept = new Map<number, Buffer>()
  readonly #writer = new RtpWriter()
  #sequence: number
  #rtxSequence = 500

  constructor(options: RtpSourceOptions) {
    this.options = options
    this.#sequence = options.firstSequence ?? 1000
  }

  /** The packets of one frame whose payloads are given; what the frame holds is kept in `sent`. */
  packets(frame: Buffer, payloads: readonly Buffer[], timeMs: number): Buffer[] {
    this.sent.push(frame)
    return payloads.map((payload, index) => {
      const sequenceNumber = this.#sequence++ & 0xffff
      const packet = this.#packet(payload, sequenceNumber, timeMs, index === payloads.length - 1)
      this.#kept.set(sequenceNumber, packet)
      return packet
    })
  }

  /** A VP8 frame (RFC 7741) in packets of at most 1000 bytes. Keyframes say a size. */
  vp8(timeMs: number, key: boolean, options: { sizeBytes?: number; width?: number; height?: number } = {}): Buffer[] {
    const { sizeBytes = 2500, width = 640, height = 360 } = options
    const frame = Buffer.alloc(sizeBytes, this.sent.length & 0xff)
    frame[0] = key ? 0x10 : 0x11 // RFC 6386 §9.1
    if (key) Buffer.from([0, 0, 0x9d, 0x01, 0x2a, width & 0xff, width >> 8, height & 0xff, height >> 8]).copy(frame, 1)
    const payloads: Buffer[] = []
    for (let at = 0; at < sizeBytes; at += 1000) {
      const descriptor = Buffer.from([at === 0 ? 0x10 : 0x00]) // RFC 7741 §4.2: S
      payloads.push(Buffer.concat([descriptor, frame.subarray(at, at + 1000)]))
    }
    return this.packets(frame, payloads, timeMs)
  }

  /** An Opus packet: fullband, 20 ms, CELT (RFC 6716 §3.1). */
  opus(timeMs: number): Buffer[] {
    const frame = Buffer.alloc(80, this.sent.length & 0xff)
    frame[0] = 0xfc
    return this.packets(frame, [frame], timeMs)
  }

  /** Retransmissions that answer a NACK: on their own stream where there is one. */
  answer(packet: RtcpPacket): Buffer[] {
    if (packet.type !== 'nack' || packet.mediaSsrc !== this.options.ssrc) return []
    return packet.sequences.flatMap((sequence) => this.#retransmission(sequence) ?? [])
  }

  #retransmission(sequence: number): Buffer | undefined {
    const kept = this.#kept.get(sequence)
    const { rtx, rtxExtensions = {} } = this.options
    if (kept === undefined || rtx === undefined) return kept
    const original = new RtpPacket(kept, 0)
    this.#writer.begin({
      payloadType: rtx.payloadType,
      marker: original.marker,
      sequenceNumber: this.#rtxSequence++ & 0xffff,
      timestamp: original.timestamp,
      ssrc: rtx.ssrc,
    })
    for (const [id, value] of Object.entries(rtxExtensions)) this.#writer.extension(Number(id), Buffer.from(value))
    return Buffer.from(this.#writer.finish(original.payload, sequence) ?? [])
  }

  #packet(payload: Buffer, sequenceNumber: number, timeMs: number, marker: boolean): Buffer {
    const { ssrc, payloadType, clockRateHz, extensions = {} } = this.options
    const timestamp = Math.round((timeMs * clockRateHz) / 1000) + 12_345
    this.#writer.begin({ payloadType, marker, sequenceNumber, timestamp, ssrc })
    for (const [id, value] of Object.entries(extensions)) this.#writer.extension(Number(id), Buffer.from(value))
    return Buffer.from(this.#writer.finish(payload) ?? [])
  }
}
