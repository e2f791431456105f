import type { RtmpPlayOutput } from '../../src/rtmp/handlers.ts'

/** One message found in chunks. */
export interface SentMessage {
  readonly type: number
  readonly timestamp: number
  readonly body: Buffer
}

/** A player's side of the socket: keeps what it gets, and takes as much of it as the test lets it. */
export class KeptOutput implements RtmpPlayOutput {
  readonly messageStreamId = 1
  readonly chunkSize = 4096
  readonly buffers: Uint8Array[] = []
  readonly statuses: string[] = []
  readonly messages: SentMessage[] = []
  bufferedBytes = 0
  /** While true, everything stays in the "socket". */
  stuck = false
  disconnected = false

  send(chunks: Uint8Array): void {
    if (this.stuck) this.bufferedBytes += chunks.length
    this.buffers.push(chunks)
    this.messages.push(...messagesOf(Buffer.from(chunks), this.chunkSize))
  }

  status(code: string): void {
    this.statuses.push(code)
  }

  disconnect(): void {
    this.disconnected = true
  }

  /** `v0!` a key, `v40` an inter frame, `a12` audio, `V0`, `A0` configurations, `M0` metadata, numbers being timestamps. */
  get script(): string {
    return this.messages
      .map(({ type, timestamp, body }) => `${nameOf(type, body)}${timestamp}${isKey(type, body)}`)
      .join(' ')
  }
}

function nameOf(type: number, body: Buffer): string {
  if (type === 18) return 'M'
  if (type === 8) return body[1] === 0 ? 'A' : 'a'
  return body[1] === 0 ? 'V' : 'v'
}

const isKey = (type: number, body: Buffer) => (type === 9 && body[0] === 0x17 && body[1] === 1 ? '!' : '')

/** Chunks of types 0 and 3 on one-byte ids, as our side writes them (RTMP 1.0 §5.3.1). */
function messagesOf(bytes: Buffer, chunkSize: number): SentMessage[] {
  const messages: SentMessage[] = []
  for (let at = 0; at < bytes.length; ) {
    let timestamp = bytes.readUIntBE(at + 1, 3)
    const length = bytes.readUIntBE(at + 4, 3)
    const type = bytes[at + 7]
    if (bytes[at] >> 6 !== 0 || bytes.readUInt32LE(at + 8) !== 1) throw new Error('not a type 0 header of stream 1')
    at += 12
    const extended = timestamp === 0xffffff
    if (extended) timestamp = bytes.readUInt32BE(at)
    if (extended) at += 4
    const parts: Buffer[] = []
    for (let left = length; left > 0; ) {
      const take = Math.min(left, chunkSize)
      parts.push(bytes.subarray(at, at + take))
      at += take
      left -= take
      if (left > 0) at += extended ? 5 : 1
    }
    messages.push({ type, timestamp, body: Buffer.concat(parts) })
  }
  return messages
}
