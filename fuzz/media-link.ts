import { Arena } from '../src/media/arena.ts'
import type { Block } from '../src/media/block.ts'
import { LinkReader, type LinkSink } from '../src/webrtc/link/reader.ts'
import { parseReport, readTrack } from '../src/webrtc/link/report.ts'
import type { FuzzTarget } from './target.ts'

class Watcher implements LinkSink {
  readonly arenas = [new Arena(), new Arena()]
  bytes = 0
  control(message: unknown): void {
    const report = parseReport(message)
    if (report.op === 'track') readTrack(report.track)
  }
  arena(session: number): Arena | undefined {
    return session < 2 ? this.arenas[session] : undefined
  }
  frame(
    _session: number,
    _track: number,
    _key: boolean,
    dts: number,
    pts: number,
    data: Uint8Array,
    block: Block,
  ): void {
    if (block.holders < 1) throw new Error('a frame in a block that nobody holds')
    if (!Number.isSafeInteger(dts) || !Number.isSafeInteger(pts)) throw new Error('no time')
    this.bytes += data.length
  }
  flush(): void {}
}

function message(type: number, body: Uint8Array): Buffer {
  const header = Buffer.alloc(8)
  header.writeUInt32LE(body.length, 0)
  header[4] = type
  return Buffer.concat([header, body])
}

function control(report: object): Buffer {
  return message(1, Buffer.from(JSON.stringify(report)))
}

function frame(session: number, size: number): Buffer {
  const body = Buffer.alloc(24 + size, 0x42)
  body.writeUInt32LE(session, 0)
  body.writeDoubleLE(90_000, 8)
  body.writeDoubleLE(93_000, 16)
  return message(2, body)
}

const TRACK = {
  id: 1,
  epoch: 0,
  timescale: 90_000,
  kind: 'video',
  codec: 'vp8',
  width: 640,
  height: 360,
  config: 'AA==',
}

/** What the server reads of its media process, which may have lost its mind; the first byte says how it is cut into reads. */
export const target: FuzzTarget = {
  name: 'media-link',
  seeds: () => [
    Buffer.concat([Buffer.from([3]), frame(0, 100), frame(1, 0), frame(7, 30), message(3, Buffer.alloc(0))]),
    Buffer.concat([
      Buffer.from([200]),
      control({ op: 'track', session: 1, ref: 1, track: TRACK }),
      control({ op: 'alive' }),
    ]),
    Buffer.concat([Buffer.from([40]), control({ op: 'end', session: 1, end: { reason: 'lost' } }), frame(1, 300)]),
  ],
  run(input) {
    const bytes = Buffer.from(input.buffer, input.byteOffset, input.length)
    if (bytes.length === 0) return
    const watcher = new Watcher()
    const reader = new LinkReader(watcher)
    const piece = 1 + bytes[0]
    try {
      for (let at = 1; at < bytes.length; at += piece) {
        const cut = bytes.subarray(at, at + piece)
        reader.read(cut, cut.length)
      }
      if (watcher.bytes > bytes.length) throw new Error('more out than in')
    } finally {
      reader.close()
      for (const arena of watcher.arenas) arena.close()
    }
  },
}
