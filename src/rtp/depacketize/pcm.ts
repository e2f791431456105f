import type { AccessUnitSink } from '../access-unit.ts'
import { PacketUnits } from './packet-units.ts'

const NO_CONFIG = new Uint8Array(0)

/** G.711 A-law and µ-law: one byte for each sample and channel (RFC 3551 §4.5.14). */
export class G711Depacketizer extends PacketUnits {
  readonly #channels: number

  constructor(sink: AccessUnitSink, channels: number) {
    super(sink)
    this.#channels = channels
  }

  protected override sample(payload: Uint8Array): Uint8Array | undefined {
    return payload.length % this.#channels === 0 ? payload : undefined
  }

  protected override configuration(): Uint8Array {
    return NO_CONFIG
  }
}

/** L16: 16-bit samples, the high byte first (RFC 3551 §4.5.11); the low byte first afterwards. */
export class L16Depacketizer extends PacketUnits {
  readonly #blockBytes: number
  #samples = new Uint8Array(0)

  constructor(sink: AccessUnitSink, channels: number) {
    super(sink)
    this.#blockBytes = 2 * channels
  }

  protected override sample(payload: Uint8Array): Uint8Array | undefined {
    const { length } = payload
    if (length % this.#blockBytes !== 0) return undefined
    if (this.#samples.length < length) this.#samples = new Uint8Array(2 * length)
    const samples = this.#samples
    for (let at = 0; at < length; at += 2) {
      samples[at] = payload[at + 1]
      samples[at + 1] = payload[at]
    }
    return samples.subarray(0, length)
  }

  protected override configuration(): Uint8Array {
    return NO_CONFIG
  }
}
