import type { ReportBlock } from './rtcp.ts'

/** Whom the outbox speaks for and where it sends. */
export interface RtcpOutboxOptions {
  /** Of this side. */
  readonly ssrc: number
  /** RFC 3550 §6.5.1. */
  readonly cname: string
  /** Whether feedback may go alone (RFC 5506, `a=rtcp-rsize`); else an empty report stands before it. True by default. */
  readonly reducedSize?: boolean
  /** One compound packet, at most 1200 bytes, to be taken at once: the bytes are used again. */
  send(packet: Uint8Array): void
}

/** What a sender report of this side says. */
export interface OutgoingSenderReport {
  readonly ssrc: number
  /** Wall clock, ms since 1900. */
  readonly ntpMs: number
  /** RTP time at that moment; taken modulo 2^32. */
  readonly timestamp: number
  readonly packets: number
  readonly octets: number
}

const MAX_BYTES = 1200
const BLOCK_BYTES = 24 // RFC 3550 §6.4.1
/** Blocks to one report; the field holds 31. */
const MAX_BLOCKS = 31
const REMB_NAME = 0x52454d42 // 'REMB'
/** Packets that one feedback message may ask for in the middle of others, in pairs of PID and mask. */
const MAX_NACK_PAIRS = 200
const MAX_REMB_SSRCS = 64

/** Gathers what one session has to say by RTCP, so that it goes out in few packets. `flush` after each batch and tick. */
export class RtcpOutbox {
  readonly ssrc: number
  readonly #send: (packet: Uint8Array) => void
  readonly #reducedSize: boolean
  readonly #sdes: Uint8Array
  readonly #bytes = new Uint8Array(MAX_BYTES)
  readonly #view = new DataView(this.#bytes.buffer)
  #length = 0

  constructor(options: RtcpOutboxOptions) {
    this.ssrc = options.ssrc
    this.#send = options.send
    this.#reducedSize = options.reducedSize ?? true
    this.#sdes = sourceDescription(options.ssrc, options.cname)
  }

  /** A receiver report with at most 31 blocks to the packet, and the CNAME. */
  receiverReport(blocks: readonly ReportBlock[]): void {
    for (let from = 0; from < blocks.length || from === 0; from += MAX_BLOCKS) {
      const part = blocks.slice(from, from + MAX_BLOCKS)
      this.#room(8 + BLOCK_BYTES * part.length + this.#sdes.length)
      let at = this.#header(201, part.length, 8 + BLOCK_BYTES * part.length)
      this.#view.setUint32(at - 4, this.ssrc)
      for (const block of part) at = this.#block(at, block)
      this.#sourceDescription(this.ssrc)
    }
  }

  /** A sender report of a stream of this side, and the CNAME. */
  senderReport(report: OutgoingSenderReport): void {
    this.#room(28 + this.#sdes.length)
    const at = this.#header(200, 0, 28)
    this.#view.setUint32(at - 4, report.ssrc)
    this.#ntp(at, report.ntpMs)
    this.#view.setUint32(at + 8, report.timestamp)
    this.#view.setUint32(at + 12, report.packets)
    this.#view.setUint32(at + 16, report.octets)
    this.#sourceDescription(report.ssrc)
  }

  /**
   * A receiver's reference time (RFC 3611 §4.4), so that a sender of media says when it heard it (`xr`): the round trip of who only
   * receives. libwebrtc answers without being asked to in the session description.
   */
  receiverReference(ntpMs: number): void {
    this.#begin(20)
    const at = this.#header(207, 0, 20)
    this.#view.setUint32(at - 4, this.ssrc)
    this.#view.setUint32(at, 0x04000002) // block type 4, two words
    this.#ntp(at + 4, ntpMs)
  }

  /** Asks for packets again: RFC 4585 §6.2.1. `sequences` rise, modulo 2^16. */
  nack(mediaSsrc: number, sequences: readonly number[]): void {
    for (let from = 0; from < sequences.length; ) {
      this.#begin(16)
      const start = this.#length
      let at = this.#feedback(205, 1, 12, mediaSsrc)
      for (let pairs = 0; from < sequences.length && pairs < MAX_NACK_PAIRS && at + 4 <= MAX_BYTES; pairs++, at += 4) {
        const first = sequences[from++]
        let mask = 0
        for (; from < sequences.length; from++) {
          const bit = ((sequences[from] - first) & 0xffff) - 1
          if (bit < 0 || bit > 15) break
          mask |= 1 << bit
        }
        this.#view.setUint16(at, first)
        this.#view.setUint16(at + 2, mask)
      }
      this.#view.setUint16(start + 2, (at - start) / 4 - 1)
      this.#length = at
    }
  }

  /** RFC 4585 §6.3.1. */
  pli(mediaSsrc: number): void {
    this.#begin(12)
    this.#feedback(206, 1, 12, mediaSsrc)
  }

  /** RFC 5104 §4.3.1; `sequence` is 8 bit. */
  fir(mediaSsrc: number, sequence: number): void {
    this.#begin(20)
    const at = this.#feedback(206, 4, 20, 0)
    this.#view.setUint32(at, mediaSsrc)
    this.#view.setUint32(at + 4, (sequence & 0xff) << 24)
  }

  /** What the other side may send at most on these streams together: draft-alvestrand-rmcat-remb-03 §2.2. */
  remb(bitrateBps: number, ssrcs: readonly number[]): void {
    const named = ssrcs.slice(0, MAX_REMB_SSRCS)
    const length = 20 + 4 * named.length
    this.#begin(length)
    const at = this.#feedback(206, 15, length, 0)
    let exponent = 0
    let mantissa = Math.floor(bitrateBps)
    for (; mantissa >= 2 ** 18; mantissa = Math.floor(mantissa / 2)) exponent++
    this.#view.setUint32(at, REMB_NAME)
    this.#view.setUint32(at + 4, ((named.length << 24) | (exponent << 18) | mantissa) >>> 0)
    for (let i = 0; i < named.length; i++) this.#view.setUint32(at + 8 + 4 * i, named[i])
  }

  /** RFC 3550 §6.6; at most 31. */
  bye(ssrcs: readonly number[]): void {
    const named = ssrcs.slice(0, MAX_BLOCKS)
    this.#begin(4 + 4 * named.length)
    const at = this.#header(203, named.length, 4 + 4 * named.length) - 4
    for (let i = 0; i < named.length; i++) this.#view.setUint32(at + 4 * i, named[i])
  }

  /** A packet that was built elsewhere: whole words, at most 1180 bytes. */
  raw(packet: Uint8Array): void {
    this.#begin(packet.length)
    this.#bytes.set(packet, this.#length)
    this.#length += packet.length
  }

  flush(): void {
    if (this.#length === 0) return
    const length = this.#length
    this.#length = 0
    this.#send(this.#bytes.subarray(0, length))
  }

  #room(length: number): void {
    if (this.#length + length > MAX_BYTES) this.flush()
  }

  /** Room for feedback, after a report where one has to be. */
  #begin(length: number): void {
    this.#room(length)
    if (this.#length > 0 || this.#reducedSize) return
    if (8 + this.#sdes.length + length > MAX_BYTES) return
    this.#header(201, 0, 8)
    this.#view.setUint32(4, this.ssrc)
    this.#sourceDescription(this.ssrc)
  }

  /** Writes a header and returns where what follows the first SSRC begins. */
  #header(packetType: number, count: number, length: number): number {
    const at = this.#length
    this.#bytes[at] = 0x80 | count
    this.#bytes[at + 1] = packetType
    this.#view.setUint16(at + 2, length / 4 - 1)
    this.#length = at + length
    return at + 8
  }

  #feedback(packetType: number, format: number, length: number, mediaSsrc: number): number {
    const at = this.#header(packetType, format, length)
    this.#view.setUint32(at - 4, this.ssrc)
    this.#view.setUint32(at, mediaSsrc)
    return at + 4
  }

  #ntp(at: number, ntpMs: number): void {
    const seconds = Math.floor(ntpMs / 1000)
    this.#view.setUint32(at, seconds)
    this.#view.setUint32(at + 4, ((ntpMs - seconds * 1000) / 1000) * 2 ** 32)
  }

  #block(at: number, block: ReportBlock): number {
    const view = this.#view
    view.setUint32(at, block.ssrc)
    view.setUint32(at + 4, (block.fractionLost << 24) | (block.cumulativeLost & 0xffffff))
    view.setUint32(at + 8, block.highestSequence)
    view.setUint32(at + 12, block.jitter)
    view.setUint32(at + 16, block.lastSr)
    view.setUint32(at + 20, block.delaySinceLastSr)
    return at + BLOCK_BYTES
  }

  #sourceDescription(ssrc: number): void {
    this.#bytes.set(this.#sdes, this.#length)
    this.#view.setUint32(this.#length + 4, ssrc)
    this.#length += this.#sdes.length
  }
}

/** One chunk with its CNAME, RFC 3550 §6.5. */
function sourceDescription(ssrc: number, cname: string): Uint8Array {
  const name = new TextEncoder().encode(cname).subarray(0, 255)
  const packet = new Uint8Array(4 + ((4 + 2 + name.length + 4) & ~3))
  const view = new DataView(packet.buffer)
  view.setUint32(0, (0x81ca << 16) | (packet.length / 4 - 1))
  view.setUint32(4, ssrc)
  packet[8] = 1 // CNAME
  packet[9] = name.length
  packet.set(name, 10)
  return packet
}
