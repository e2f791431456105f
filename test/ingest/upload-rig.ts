import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { openContainer } from '../../src/container/formats.ts'
import type { Chunk } from '../../src/ingest/upload/upload-session.ts'
import type { EndReason, Subscriber } from '../../src/live/subscriber.ts'
import type { Frame } from '../../src/media/frame.ts'
import type { Track } from '../../src/media/track.ts'

/** What Debian's Chromium 156 made of its fake devices, and of a canvas with alpha, by `MediaRecorder`: two seconds and a half each. */
export type Recorded = 'vp8.webm' | 'h264.mkv' | 'h264.mp4' | 'sound.webm' | 'alpha.webm'

export function recordedBytes(name: Recorded): Buffer {
  return readFileSync(join(import.meta.dirname, 'chromium', name))
}

/** `bytes` in `count` pieces. */
export function pieces(bytes: Uint8Array, count: number): Uint8Array[] {
  const size = Math.ceil(bytes.length / count)
  return Array.from({ length: count }, (_, i) => bytes.subarray(i * size, (i + 1) * size))
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

export function chunkOf(seq: number, bytes: Uint8Array, isFinal = false, sum = sha256(bytes)): Chunk {
  return { seq, sha256: sum, isFinal, body: inPieces(bytes) }
}

async function* inPieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 5000) yield bytes.subarray(at, at + 5000)
}

/** Times of all samples of a whole recording, by kind, ms; read at once. */
export async function timesOf(bytes: Uint8Array): Promise<Record<string, number[]>> {
  const source = {
    sizeBytes: bytes.length,
    read: async (at: number, length: number) => bytes.subarray(at, at + length),
  }
  const times: Record<string, number[]> = { video: [], audio: [] }
  for await (const { track, pts } of (await openContainer(source)).samples()) {
    times[track.kind]?.push(Math.round((pts * 1000) / track.timescale))
  }
  return times
}

/** Keeps what a stream brings. */
export class Follower implements Subscriber {
  readonly kind = 'recording'
  readonly tracks: Track[] = []
  readonly times: Record<string, number[]> = { video: [], audio: [] }
  readonly firstVideo: { key?: boolean } = {}
  /** Of each frame that has one. */
  readonly alpha: string[] = []
  reason: EndReason | undefined
  #onEnd: (() => void) | undefined

  track(track: Track): void {
    this.tracks.push(track)
  }
  frame({ track, pts, key, alpha }: Frame): void {
    if (alpha.length > 0) this.alpha.push(Buffer.from(alpha).toString('hex'))
    this.times[track.kind]?.push(Math.round((pts * 1000) / track.timescale))
    if (track.kind === 'video') this.firstVideo.key ??= key
  }
  flush(): void {}
  end(reason: EndReason): void {
    this.reason = reason
    this.#onEnd?.()
  }

  ended(): Promise<EndReason | undefined> {
    if (this.reason !== undefined) return Promise.resolve(this.reason)
    return new Promise((resolve) => {
      this.#onEnd = () => resolve(this.reason)
    })
  }
}
