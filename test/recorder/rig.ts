import { openContainer } from '../../src/container/formats.ts'
import { Hub } from '../../src/live/hub.ts'
import type { LiveStream } from '../../src/live/stream.ts'
import { Frame } from '../../src/media/frame.ts'
import type { Logger } from '../../src/media/ports.ts'
import type { AudioTrack, Track, VideoTrack } from '../../src/media/track.ts'
import type { AuditEvent } from '../../src/recorder/audit.ts'
import { type RecorderConfigInput, recorderConfigSchema } from '../../src/recorder/config.ts'
import { Recorder } from '../../src/recorder/recorder.ts'
import { SqliteJournal } from '../../src/state/sqlite-journal.ts'
import { MemoryStorage } from '../../src/storage/memory.ts'

const hex = (text: string) => new Uint8Array(Buffer.from(text, 'hex'))
const AVCC = hex('0164001fffe100186764001facb201b07bcde022000007d20001d4c01e30649001000668ebc3cb22c0fdf8f800')
const OTHER_AVCC = hex('0164000cffe100196764000cace405067e7c0440000003004000000c03c50a448001000668ebe3cb22c0fdf8f800')

/** H.264 with a real configuration, on a 1 kHz clock as RTMP has it. */
export const h264: VideoTrack = {
  id: 1,
  epoch: 0,
  timescale: 1000,
  kind: 'video',
  codec: 'h264',
  width: 854,
  height: 480,
  config: AVCC,
}
/** The same track in another resolution. */
export const h264Smaller: VideoTrack = { ...h264, epoch: 1, width: 320, height: 240, config: OTHER_AVCC }
/** The same track in another codec. */
export const vp8: VideoTrack = { ...h264, epoch: 2, codec: 'vp8', config: new Uint8Array() }
/** AAC-LC, 48 kHz stereo. */
export const aac: AudioTrack = {
  id: 2,
  epoch: 0,
  timescale: 1000,
  kind: 'audio',
  codec: 'aac',
  sampleRateHz: 48_000,
  channels: 2,
  config: hex('1190'),
}

/** A log line. */
export interface Line {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
}

/** A recorder on a memory storage, with everything that it says and does kept for looking at. */
export class Rig {
  readonly storage: MemoryStorage
  readonly journal: SqliteJournal
  readonly lines: Line[] = []
  readonly logger: Logger
  readonly audits: { event: AuditEvent; path: string; details: Readonly<Record<string, unknown>> }[] = []
  readonly hub: Hub
  readonly recorder: Recorder

  constructor(
    config: RecorderConfigInput = {},
    shared: { storage?: MemoryStorage; journal?: SqliteJournal; now?: () => number } = {},
  ) {
    this.storage = shared.storage ?? new MemoryStorage()
    this.journal = shared.journal ?? new SqliteJournal(':memory:')
    const log = (level: Line['level']) => (fields: object, message: string) => {
      this.lines.push({ level, message, fields: { ...fields } })
    }
    const logger: Logger = { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') }
    this.logger = logger
    this.hub = new Hub({ takeover: false, maxStreams: 100 }, logger)
    this.recorder = new Recorder({
      ...(shared.now === undefined ? {} : { now: shared.now }),
      hub: this.hub,
      storage: this.storage,
      journal: this.journal,
      logger,
      audit: { note: (event, path, details) => this.audits.push({ event, path, details }) },
      config: recorderConfigSchema.parse({ dir: '/rec', filename: '{room}_{participant}', trackWaitMs: 0, ...config }),
    })
  }

  static async start(...args: ConstructorParameters<typeof Rig>): Promise<Rig> {
    const rig = new Rig(...args)
    await rig.recorder.start()
    return rig
  }

  publish(participant = 'test', room = 'live'): LiveStream {
    return this.hub.publish({ room, participant }, { source: 'embedded' })
  }

  /** Ends `stream` and waits until every recording is through. */
  async finish(...streams: LiveStream[]): Promise<void> {
    const { recordings } = this.recorder
    for (const stream of streams) stream.end('finished')
    await Promise.all(recordings.map(({ finished }) => finished))
  }

  /** Resolves with the first log line like `message`, past or to come. */
  async line(message: RegExp): Promise<Line> {
    for (;;) {
      const found = this.lines.find((line) => message.test(line.message))
      if (found !== undefined) return found
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }

  errors(): Line[] {
    return this.lines.filter(({ level }) => level === 'error')
  }

  /** What a file holds. */
  async read(path: string): Promise<Content> {
    const file = await this.storage.open(path)
    const reader = await openContainer(file)
    const samples: ReadSample[] = []
    for await (const { track, dts, pts, key, offset, size } of reader.samples()) {
      const scale = (ticks: number) => Math.round((ticks * 1000) / track.timescale)
      const bytes = await file.read(offset, size)
      samples.push({ kind: track.kind, dtsMs: scale(dts), ptsMs: scale(pts), key, serial: serialOf(bytes) })
    }
    return {
      format: reader.format,
      finalised: reader.finalised,
      tracks: reader.tracks,
      samples,
      faults: reader.faults.map(({ kind }) => kind),
    }
  }
}

/** One sample of a file, times in ms. */
export interface ReadSample {
  readonly kind: 'video' | 'audio'
  readonly dtsMs: number
  readonly ptsMs: number
  readonly key: boolean
  /** Which frame it was made from. */
  readonly serial: number
}

/** A file that was read back. */
export interface Content {
  readonly format: string
  readonly finalised: boolean
  readonly tracks: readonly Track[]
  readonly samples: readonly ReadSample[]
  readonly faults: readonly string[]
}

/** Makes frames that carry a serial number, so that each can be told again in a file. */
export class Source {
  #serial = 0
  readonly sizeBytes: number

  constructor(sizeBytes = 64) {
    this.sizeBytes = sizeBytes
  }

  /** How many frames there are so far; serials run from 0. */
  get count(): number {
    return this.#serial
  }

  frame(track: Track, ms: number, options: { key?: boolean; pts?: number } = {}): Frame {
    const data = new Uint8Array(this.sizeBytes)
    const view = new DataView(data.buffer)
    view.setUint32(0, this.sizeBytes - 4) // one NAL unit, length-prefixed
    view.setUint32(4, 0x41000000) // a slice
    view.setUint32(this.sizeBytes - 4, this.#serial++) // last: muxers may put parameter sets in front
    const ticks = (at: number) => Math.round((at * track.timescale) / 1000)
    return new Frame(track, ticks(ms), ticks(options.pts ?? ms), options.key ?? track.kind === 'audio', data)
  }

  /** Picture every 40 ms with a keyframe a second, sound every 20 ms, in order of time. */
  *av(fromMs: number, toMs: number, video: Track = h264, audio: Track = aac): Generator<Frame> {
    for (let ms = fromMs; ms < toMs; ms += 20) {
      if ((ms - fromMs) % 40 === 0) yield this.frame(video, ms, { key: (ms - fromMs) % 1000 === 0 })
      yield this.frame(audio, ms + 7)
    }
  }
}

function serialOf(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(bytes.length - 4)
}

/** Numbers from 0. */
export const upTo = (count: number) => Array.from({ length: count }, (_, i) => i)

/** In order of serial. */
export const serials = (...contents: Content[]) =>
  contents.flatMap(({ samples }) => samples.map(({ serial }) => serial)).sort((a, b) => a - b)

/** Publishes tracks and frames in one go. */
export function write(stream: LiveStream, frames: Iterable<Frame>): void {
  let count = 0
  for (const frame of frames) {
    stream.write(frame)
    if (++count % 10 === 0) stream.flush()
  }
  stream.flush()
}
