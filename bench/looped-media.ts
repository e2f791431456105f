import { open } from 'node:fs/promises'
import { openContainer } from '../src/container/formats.ts'
import type { Sample } from '../src/container/reader.ts'
import type { Track } from '../src/media/track.ts'

/** One frame of the loop. */
export interface LoopedFrame {
  readonly track: Track
  readonly dtsMs: number
  readonly ptsMs: number
  readonly key: boolean
  readonly data: Uint8Array
}

interface Loop {
  readonly track: Track
  readonly samples: readonly { readonly offsetMs: number; readonly key: boolean; readonly data: Uint8Array }[]
  /** Between two frames, ms. */
  readonly intervalMs: number
}

/**
 * The picture and sound of a short file over and over, each at its own steady rate, in order of decoding time and for ever:
 * media of any length that decodes. The file begins with a keyframe and has closed GOPs. `slowness` stretches the time.
 */
export async function* loopedMedia(path: string, slowness = 1): AsyncGenerator<LoopedFrame> {
  const loops = await readLoops(path, slowness)
  const next = loops.map(() => 0)
  const dueMs = loops.map(() => 0)
  for (;;) {
    const turn = dueMs.indexOf(Math.min(...dueMs))
    const { track, samples, intervalMs } = loops[turn]
    const { offsetMs, key, data } = samples[next[turn] % samples.length]
    const dtsMs = Math.round(dueMs[turn])
    dueMs[turn] = ++next[turn] * intervalMs
    yield { track, dtsMs, ptsMs: dtsMs + offsetMs, key, data }
  }
}

async function readLoops(path: string, slowness: number): Promise<Loop[]> {
  const file = await open(path)
  try {
    const { size: sizeBytes } = await file.stat()
    const read = async (offset: number, length: number) => {
      const { buffer, bytesRead } = await file.read(new Uint8Array(length), 0, length, offset)
      return buffer.subarray(0, bytesRead)
    }
    const reader = await openContainer({ sizeBytes, read })
    const samples = new Map<number, Sample[]>()
    for await (const sample of reader.samples()) {
      samples.set(sample.track.id, [...(samples.get(sample.track.id) ?? []), sample])
    }
    return await Promise.all([...samples.values()].map((all) => loopOf(all, read, slowness)))
  } finally {
    await file.close()
  }
}

async function loopOf(
  all: readonly Sample[],
  read: (offset: number, length: number) => Promise<Uint8Array>,
  slowness: number,
): Promise<Loop> {
  const { track } = all[0]
  const intervalMs =
    track.kind === 'audio' ? 1_024_000 / track.sampleRateHz : (all[all.length - 1].dts - all[0].dts) / (all.length - 1)
  const samples = all.map(async ({ dts, pts, key, offset, size }) => ({
    offsetMs: Math.round((pts - dts) * slowness),
    key,
    data: await read(offset, size),
  }))
  return { track, samples: await Promise.all(samples), intervalMs: intervalMs * slowness }
}
