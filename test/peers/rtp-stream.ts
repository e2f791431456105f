/** What a sender is to send: a loop of frames, each a burst of packets. */
export interface RtpStreamPlan {
  readonly ssrc: number
  readonly payloadType: number
  /** The payloads of each frame's packets; the last of a frame has the marker. */
  readonly frames: readonly (readonly Uint8Array[])[]
  readonly framesPerSecond: number
  /** RTP clock, Hz. */
  readonly clockRateHz: number
  /** How often frames of the loop are sent; sent until `stop` without. */
  readonly maxFrames?: number
  /** Whether a frame's packets leave at once, as browsers send them, or evenly over its time. `burst` by default. */
  readonly pacing?: 'burst' | 'even'
}

/** RTP packets of a plan, frame by frame, with sequence numbers and timestamps that go on from loop to loop. */
export class RtpStream {
  readonly plan: RtpStreamPlan
  sentFrames = 0
  sentPackets = 0
  #sentOfFrame = 0
  readonly #packet = Buffer.alloc(1500)

  constructor(plan: RtpStreamPlan) {
    this.plan = plan
  }

  get isOver(): boolean {
    return this.plan.maxFrames !== undefined && this.sentFrames >= this.plan.maxFrames
  }

  /** Gives the packets that are due so long after the start to `send`; each is good for the call only. */
  sendDue(elapsedMs: number, send: (packet: Buffer) => void): void {
    const { frames, framesPerSecond, pacing } = this.plan
    const due = (elapsedMs * framesPerSecond) / 1000
    while (!this.isOver) {
      const count = frames[this.sentFrames % frames.length].length
      const startsAt = this.sentFrames + (pacing === 'even' ? this.#sentOfFrame / count : 1)
      if (startsAt > due) return
      this.#sendNext(send)
    }
  }

  #sendNext(send: (packet: Buffer) => void): void {
    const { frames, ssrc, payloadType, clockRateHz, framesPerSecond } = this.plan
    const payloads = frames[this.sentFrames % frames.length]
    const timestamp = Math.round((this.sentFrames * clockRateHz) / framesPerSecond) >>> 0
    const payload = payloads[this.#sentOfFrame++]
    const isLast = this.#sentOfFrame === payloads.length
    const packet = this.#packet
    packet[0] = 0x80
    packet[1] = payloadType | (isLast ? 0x80 : 0)
    packet.writeUInt16BE(this.sentPackets & 0xffff, 2)
    packet.writeUInt32BE(timestamp, 4)
    packet.writeUInt32BE(ssrc, 8)
    packet.set(payload, 12)
    this.sentPackets++
    if (isLast) {
      this.sentFrames++
      this.#sentOfFrame = 0
    }
    send(packet.subarray(0, 12 + payload.length))
  }
}

/** A plan of packets that mean nothing: so many bytes each, so many a frame. */
export function emptyPlan(ssrc: number, packetsPerFrame: number, framesPerSecond: number): RtpStreamPlan {
  const payload = new Uint8Array(1188)
  const frame = Array.from({ length: packetsPerFrame }, () => payload)
  return { ssrc, payloadType: 96, frames: [frame], framesPerSecond, clockRateHz: 90_000 }
}
