import type { Block } from '../src/media/block.ts'
import { ChunkReader, type ChunkSink } from '../src/rtmp/chunk-reader.ts'
import { chunkMessage } from '../src/rtmp/chunk-writer.ts'
import type { FuzzTarget } from './target.ts'

/** Bound of what a reader may hold here, bytes. */
const MAX_PENDING_BYTES = 1 << 20

class Watcher implements ChunkSink {
  bytes = 0
  wants(messageStreamId: number): boolean {
    return messageStreamId % 3 !== 2
  }
  media(_type: number, _timestampMs: number, _messageStreamId: number, payload: Buffer, block: Block): void {
    if (block.holders < 1) throw new Error('payload in a block that nobody holds')
    this.bytes += payload.length
  }
  message(_type: number, _timestampMs: number, _messageStreamId: number, payload: Buffer): void {
    this.bytes += payload.length
  }
}

function message(chunkStreamId: number, type: number, timestampMs: number, length: number): Buffer {
  const header = { chunkStreamId, type, timestampMs, messageStreamId: 1 }
  return chunkMessage(128, header, Buffer.alloc(length, 0x55))
}

/** The chunk reader; the first byte of an input says how it is cut into reads. */
export const target: FuzzTarget = {
  name: 'rtmp-chunks',
  seeds: () => [
    Buffer.concat([Buffer.from([1]), message(6, 9, 100, 300), message(4, 8, 120, 20), message(3, 20, 0, 200)]),
    Buffer.concat([Buffer.from([9]), message(6, 9, 0x1000000, 500), message(6, 9, 0xfffffffe, 10)]),
    Buffer.from(
      `05020000000000040100000000000000100600000000002009010000${'00'.repeat(40)}c6${'11'.repeat(20)}`,
      'hex',
    ),
    Buffer.from(`ff0200000000000402000000000000000600ffffff000008080100000001000000${'22'.repeat(8)}`, 'hex'),
    Buffer.from(
      `10030003e8000020080100000055${'33'.repeat(31)}8300001455${'44'.repeat(31)}c355${'44'.repeat(31)}`,
      'hex',
    ),
    Buffer.from('20003f00000100000108010000007701ffff00000200000108010000007c', 'hex'),
  ],
  run(input) {
    const bytes = Buffer.from(input.buffer, input.byteOffset, input.length)
    if (bytes.length === 0) return
    const watcher = new Watcher()
    const reader = new ChunkReader(watcher, 1 << 19)
    reader.maxPendingBytes = MAX_PENDING_BYTES
    const piece = 1 + bytes[0]
    try {
      for (let at = 1; at < bytes.length; at += piece) {
        const to = Math.min(bytes.length, at + piece)
        if (reader.read(bytes, at, to) !== to) throw new Error('stopped without being told')
        if (reader.pendingBytes > MAX_PENDING_BYTES || reader.pendingBytes < 0) throw new Error('pending out of bounds')
      }
      if (watcher.bytes > bytes.length) throw new Error('more out than in')
    } finally {
      reader.close()
    }
    if (reader.pendingBytes !== 0) throw new Error('memory kept after close')
  },
}
