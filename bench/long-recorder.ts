import { mkdirSync, readFileSync, statSync } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Hub } from '../src/live/hub.ts'
import { Arena } from '../src/media/arena.ts'
import { Frame } from '../src/media/frame.ts'
import type { Logger } from '../src/media/ports.ts'
import { recorderConfigSchema } from '../src/recorder/config.ts'
import { Recorder } from '../src/recorder/recorder.ts'
import { SqliteJournal } from '../src/state/sqlite-journal.ts'
import { DiskStorage } from '../src/storage/disk.ts'
import { type LoopedFrame, loopedMedia } from './looped-media.ts'

/** What one long recording was like, as a line of JSON on stdout. */
export interface LongReport {
  readonly state: string
  /** Paths of the parts. */
  readonly paths: readonly string[]
  readonly sizeBytes: number
  /** What was fed, and what the recording says it has. */
  readonly fed: { readonly video: number; readonly audio: number }
  readonly recorded: { readonly video: number; readonly audio: number; readonly dropped: number }
  readonly durationMs: number
  readonly feedSeconds: number
  /** From the end of the stream to the finished file. */
  readonly finishSeconds: number
  /** Written meanwhile, with what had been gathered before. */
  readonly finishWrittenBytes: number
  /** Resident after each minute of media (or as much as has a thousand frames), MB. */
  readonly rssMb: readonly number[]
  /** The highest while finishing, MB. */
  readonly finishRssMb: number
  readonly errors: readonly string[]
}

/** Frames between two looks at what the disk has taken. */
const BATCH_FRAMES = 200
const MINUTE_MS = 60_000

/** A process of its own, so that what is resident is the recording: `node bench/long-recorder.ts --media … --hours 12 …` */
const { values } = parseArgs({
  options: {
    media: { type: 'string', default: '' },
    format: { type: 'string', default: 'mp4' },
    directory: { type: 'string', default: '' },
    hours: { type: 'string', default: '12' },
    /** Timestamp of the first frame, ms. */
    start: { type: 'string', default: '0' },
    /** Stretches time: few frames for many days. */
    slowness: { type: 'string', default: '1' },
  },
})

const errors: string[] = []
const note = (fields: object, message: string) => {
  errors.push(`${message} ${JSON.stringify(fields)}`)
}
const logger: Logger = { debug: () => undefined, info: () => undefined, warn: note, error: note }

class Feeder {
  readonly #arena = new Arena()
  readonly fed = { video: 0, audio: 0 }
  readonly #stream
  readonly #startMs: number

  constructor(stream: ReturnType<Hub['publish']>, startMs: number) {
    this.#stream = stream
    this.#startMs = startMs
  }

  /** As an ingest does: copied once into a block, and passed on. */
  put({ track, dtsMs, ptsMs, key, data }: LoopedFrame): void {
    const first = this.fed[track.kind]++ === 0
    if (first) this.#stream.track(track)
    const block = this.#arena.copy(data)
    const bytes = block.bytes.subarray(this.#arena.start, this.#arena.start + data.length)
    this.#stream.write(new Frame(track, dtsMs + this.#startMs, ptsMs + this.#startMs, key, bytes, block))
    block.release()
  }

  /** A publisher that is not read while the disk is behind. */
  async breathe(): Promise<void> {
    this.#stream.flush()
    do await nextTurn()
    while (this.#stream.recordingBehind)
  }
}

async function record(): Promise<LongReport> {
  const { directory, format } = values
  const endMs = Number(values.hours) * 3_600_000
  const slowness = Number(values.slowness)
  mkdirSync(directory, { recursive: true })
  const hub = new Hub({ takeover: false, maxStreams: 1 }, logger)
  const config = recorderConfigSchema.parse({
    ...{ dir: directory, format, trackWaitMs: 0, minFreeMb: 100 },
    ...(slowness > 1 ? { gapMs: 100 * slowness, jumpMs: 100 * slowness } : {}),
  })
  const storage = new DiskStorage()
  const recorder = new Recorder({ hub, storage, journal: new SqliteJournal(':memory:'), config, logger })
  await recorder.start()
  const stream = hub.publish({ room: 'long', participant: 'test' }, { source: 'embedded' })
  const [recording] = recorder.recordings
  const feeder = new Feeder(stream, Number(values.start))
  const rssMb: number[] = []
  const startedAtMs = performance.now()
  let lookedAtMs = 0
  let count = 0
  for await (const frame of loopedMedia(values.media, slowness)) {
    if (frame.dtsMs >= endMs) break
    feeder.put(frame)
    if (++count % BATCH_FRAMES === 0) await feeder.breathe()
    if (frame.dtsMs - lookedAtMs < MINUTE_MS * slowness) continue
    lookedAtMs = frame.dtsMs
    rssMb.push(Math.round(process.memoryUsage.rss() / 1e5) / 10)
  }
  await feeder.breathe()
  const endedAtMs = performance.now()
  const writtenBytes = bytesWritten()
  let highest = process.memoryUsage.rss()
  const watch = setInterval(() => {
    highest = Math.max(highest, process.memoryUsage.rss())
  }, 20)
  stream.end('finished')
  await recording.finished
  const finishedAtMs = performance.now()
  clearInterval(watch)
  highest = Math.max(highest, process.memoryUsage.rss())
  const { videoFrames, audioFrames, droppedFrames, durationMs } = recording.stats()
  const paths = recording.parts.map(({ path }) => path)
  await recorder.stop({ deadlineMs: 1000 })
  return {
    state: recording.state,
    paths,
    sizeBytes: paths.reduce((sum, path) => sum + statSync(path).size, 0),
    fed: feeder.fed,
    recorded: { video: videoFrames, audio: audioFrames, dropped: droppedFrames },
    durationMs,
    feedSeconds: (endedAtMs - startedAtMs) / 1000,
    finishSeconds: (finishedAtMs - endedAtMs) / 1000,
    finishWrittenBytes: bytesWritten() - writtenBytes,
    rssMb,
    finishRssMb: Math.round(highest / 1e5) / 10,
    errors,
  }
}

/** By this process, to whatever (proc(5), /proc/pid/io). */
function bytesWritten(): number {
  return Number(/^wchar: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1])
}

console.log(JSON.stringify(await record()))
