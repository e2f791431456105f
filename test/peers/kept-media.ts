import { readFileSync } from 'node:fs'
import { openContainer } from '../../src/container/formats.ts'
import { MalformedError } from '../../src/media/errors.ts'
import type { ByteSource } from '../../src/media/ports.ts'
import type { FlvTag } from './paced-publisher.ts'

/** What of a stream lies in files. */
export interface KeptMedia<T extends FlvTag = FlvTag> {
  /** Sent, but in none of the files, in the order of sending. */
  readonly missing: readonly T[]
  /** Frames of picture and sound in all files. */
  readonly frames: number
  /** Files that hold any frame. */
  readonly playable: readonly string[]
  /** Files that are not complete: no index, no duration. */
  readonly unfinished: readonly string[]
}

/** Bytes of H.264 (Adobe FLV v10.1 §E.4.3.1) and AAC (§E.4.2.2) tags before their payload. */
const HEADER_BYTES = { video: 5, audio: 2 }

/**
 * Looks for `sent` in `paths`, the parts of one recording in their order: byte by byte, each frame once and in its order.
 * Throws when something is there that was not sent.
 */
export async function keptMedia<T extends FlvTag>(paths: readonly string[], sent: readonly T[]): Promise<KeptMedia<T>> {
  const tags = { video: sent.filter(({ type }) => type === 9), audio: sent.filter(({ type }) => type === 8) }
  const next = { video: 0, audio: 0 }
  const missing: T[] = []
  const playable: string[] = []
  const unfinished: string[] = []
  let frames = 0
  for (const path of paths) {
    const file = fileOf(path)
    const before = frames
    for await (const { kind, bytes } of payloads(file, () => unfinished.push(path))) {
      const queue = tags[kind]
      let at = next[kind]
      while (at < queue.length && !bytes.equals(queue[at].body.subarray(HEADER_BYTES[kind]))) at++
      if (at === queue.length)
        throw new Error(`${path}: ${kind} of ${bytes.length} bytes that was not sent, or not here`)
      missing.push(...queue.slice(next[kind], at))
      next[kind] = at + 1
      frames++
    }
    if (frames > before) playable.push(path)
  }
  missing.push(...tags.video.slice(next.video), ...tags.audio.slice(next.audio))
  missing.sort((a, b) => a.timestampMs - b.timestampMs)
  return { missing, frames, playable, unfinished }
}

/** All frames of a file; none when not even its header is there. */
async function* payloads(
  file: ByteSource & { readonly bytes: Buffer },
  onUnfinished: () => void,
): AsyncGenerator<{ kind: 'video' | 'audio'; bytes: Buffer }> {
  try {
    const reader = await openContainer(file)
    if (!reader.finalised) onUnfinished()
    for await (const { track, offset, size } of reader.samples()) {
      yield { kind: track.kind, bytes: file.bytes.subarray(offset, offset + size) }
    }
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error
    onUnfinished()
  }
}

function fileOf(path: string): ByteSource & { readonly bytes: Buffer } {
  const bytes = readFileSync(path)
  return {
    bytes,
    sizeBytes: bytes.length,
    read: async (offset, length) => bytes.subarray(offset, offset + length),
  }
}
