import { rmSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { createMuxer } from '../src/container/formats.ts'
import type { Format } from '../src/container/reader.ts'
import { Arena } from '../src/media/arena.ts'
import { Frame } from '../src/media/frame.ts'
import type { Track } from '../src/media/track.ts'
import { DiskStorage } from '../src/storage/disk.ts'
import { spread, table } from './measure.ts'
import { workspace } from './media.ts'
import { synthetic } from './synthetic.ts'

const HOURS = 12
const VIDEO_INTERVAL_MS = 100 / 3
const AUDIO_INTERVAL_MS = 1024 / 44.1

/** Twelve hours of media through muxer and disk as fast as they go: memory over time, and the time to finish. */
export async function long(): Promise<void> {
  const rows: string[][] = []
  for (const format of ['mp4', 'flv', 'mkv'] as const) rows.push(await record(format))
  console.log(`\n${HOURS} h of 30 fps video and AAC, as fast as it goes`)
  table(
    ['format', 'RSS after 1 min of media MB', 'at the end MB', 'peak while finishing MB', 'finished in s', 'GB'],
    rows,
  )
}

async function record(format: Format): Promise<string[]> {
  const directory = join(workspace, 'long')
  await mkdir(directory, { recursive: true })
  const path = join(directory, `long.${format}`)
  rmSync(path, { force: true })
  const file = await new DiskStorage().create(path)
  const muxer = createMuxer(format, file, {})
  const { video, audio, keyframe, interframe, sound } = synthetic()
  muxer.start([video, audio])
  const arena = new Arena()
  const put = (track: Track, ms: number, key: boolean, bytes: Uint8Array) => {
    const block = arena.copy(bytes)
    const data = block.bytes.subarray(arena.start, arena.start + bytes.length)
    muxer.write(new Frame(track, ms, ms, key, data, block))
    block.release()
    file.commit()
  }
  const samples: number[] = []
  let audioFrame = 0
  const endMs = HOURS * 3_600_000
  for (let frame = 0, ms = 0; ms < endMs; ms = Math.round(++frame * VIDEO_INTERVAL_MS)) {
    const key = frame % 60 === 0
    put(video, ms, key, key ? keyframe : interframe)
    for (; audioFrame * AUDIO_INTERVAL_MS <= ms; audioFrame++)
      put(audio, Math.round(audioFrame * AUDIO_INTERVAL_MS), true, sound)
    if (file.backlogBytes > 8e6) await file.drain()
    if (frame % 1800 === 0) {
      await nextTurn()
      samples.push(process.memoryUsage.rss() / 1e6)
    }
  }
  const startedAtMs = performance.now()
  let peak = 0
  const watch = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage.rss() / 1e6)
  }, 20)
  await muxer.finish()
  await file.close()
  clearInterval(watch)
  const seconds = (performance.now() - startedAtMs) / 1000
  const gigabytes = file.position / 1e9
  rmSync(path)
  return [
    format,
    samples[1].toFixed(0),
    spread(samples.slice(-60), 0),
    peak.toFixed(0),
    seconds.toFixed(2),
    gigabytes.toFixed(2),
  ]
}
