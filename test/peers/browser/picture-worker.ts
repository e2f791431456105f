/// <reference lib="dom" />
import type { PictureOptions } from './publisher-page.ts'
import { belowCode, drawTime } from './time-code.ts'

// Runs in a worker of the page: makes pictures that carry the time at which they were made (see ../sync-marks.ts).

let options: PictureOptions = { width: 640, height: 360, rateFps: 30, markPeriodMs: 1037, freshRows: 8 }
let writer: WritableStreamDefaultWriter<VideoFrame> | undefined
let noise = new Uint8Array(0)
let made = 0
let dueMs = 0

const epochMs = () => performance.timeOrigin + performance.now()

self.onmessage = ({ data }: MessageEvent<PictureOptions & { writable?: WritableStream<VideoFrame> }>) => {
  const { writable, ...rest } = data
  options = { ...options, ...rest }
  noise = Uint8Array.from({ length: options.width * 64 }, () => 40 + Math.random() * 80)
  if (writable === undefined) return
  writer = writable.getWriter()
  dueMs = epochMs()
  tick()
}

function tick(): void {
  const nowMs = Math.floor(epochMs())
  writer?.write(picture(nowMs)).catch(() => undefined)
  made++
  dueMs += 1000 / options.rateFps
  if (dueMs < epochMs() - 200) dueMs = epochMs() // what was slept through is not made up for
  setTimeout(tick, Math.max(0, dueMs - epochMs()))
}

/** A picture of this moment. Its timestamp is the millisecond that it shows. */
function picture(atMs: number): VideoFrame {
  const { width, height, markPeriodMs } = options
  const data = new Uint8Array((width * height * 3) / 2).fill(128, width * height)
  const luma = data.subarray(0, width * height)
  if (!drawTime(luma, width, height, atMs, markPeriodMs)) drawNoise(luma, belowCode(height))
  return new VideoFrame(data, { format: 'I420', codedWidth: width, codedHeight: height, timestamp: atMs * 1000 })
}

/** A pattern that wanders, and some lines of it that nobody could have foreseen. */
function drawNoise(data: Uint8Array, from: number): void {
  const { width, height, freshRows } = options
  const shift = (made * 4) % (noise.length - width)
  const fresh = from + ((made * 7) % Math.max(1, height - from - freshRows))
  for (let y = from; y < height; y++) {
    const isFresh = y >= fresh && y < fresh + freshRows
    const at = isFresh
      ? Math.floor(Math.random() * (noise.length - width))
      : (shift + (y >> 3) * width) % (noise.length - width)
    data.set(noise.subarray(at, at + width), y * width)
  }
}
