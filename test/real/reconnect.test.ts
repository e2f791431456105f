import { createHash } from 'node:crypto'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { EndReason, Subscriber } from '../../src/live/subscriber.ts'
import type { Frame } from '../../src/media/frame.ts'
import type { Track } from '../../src/media/track.ts'
import { recorderConfigSchema } from '../../src/recorder/config.ts'
import { Recorder, type RecordOptions } from '../../src/recorder/recorder.ts'
import type { Recording } from '../../src/recorder/recording.ts'
import { SqliteJournal } from '../../src/state/sqlite-journal.ts'
import { DiskStorage } from '../../src/storage/disk.ts'
import { decodingFaults } from '../peers/decoding.ts'
import { madeMedia, type ProbedPacket, packetsOf, publish } from '../peers/ffmpeg.ts'
import { PacedPublisher } from '../peers/paced-publisher.ts'
import { Relay } from '../peers/relay.ts'
import { scratch } from '../peers/tapedeck.ts'

const VIDEO = '-f lavfi -i testsrc2=size=640x360:rate=25'
const SMALL = '-f lavfi -i testsrc2=size=320x180:rate=30'
const SOUND = '-f lavfi -i sine=frequency=440:sample_rate=48000'
/** ffmpeg looks 5 s into a file for its picture, and complains where that begins later. */
const LATE_PICTURE = ['-analyzeduration', '30M']
const H264 = '-c:v libx264 -preset veryfast -bf 2 -g 25 -pix_fmt yuv420p'

/** What one publisher has sent, as it arrived. */
class Session implements Subscriber {
  readonly kind = 'recording'
  readonly hashes = { video: [] as string[], audio: [] as string[] }
  readonly ended = Promise.withResolvers<EndReason>()
  readonly #enough = Promise.withResolvers<void>()
  readonly #minVideoFrames: number
  firstAtMs = 0
  lastAtMs = 0

  /** Resolves `enough` after so many frames of picture, or of sound where there is no picture. */
  constructor(minFrames: number) {
    this.#minVideoFrames = minFrames
  }

  get enough(): Promise<void> {
    return this.#enough.promise
  }

  track(_track: Track): void {}

  frame({ track, data }: Frame): void {
    this.lastAtMs = performance.now()
    this.firstAtMs ||= this.lastAtMs
    this.hashes[track.kind].push(`MD5:${createHash('md5').update(data).digest('hex')}`)
    const { video, audio } = this.hashes
    if (Math.max(video.length, audio.length / 2) >= this.#minVideoFrames) this.#enough.resolve()
  }

  flush(): void {}

  end(reason: EndReason): void {
    this.ended.resolve(reason)
  }
}

let relay: Relay
let recorder: Recorder
let place: ReturnType<typeof scratch>
const media = { av: '', other: '', sound: '' }

beforeAll(async () => {
  relay = await Relay.start()
  media.av = await madeMedia('reconnect-av.flv', `${VIDEO} ${SOUND} -t 20 ${H264} -c:a aac -ac 2`)
  media.other = await madeMedia('reconnect-other.flv', `${SMALL} ${SOUND} -t 20 ${H264} -c:a aac -ac 2`)
  media.sound = await madeMedia('reconnect-sound.flv', `${SOUND} -t 20 -c:a aac -ac 2`)
})
afterAll(() => relay.close())

beforeEach(async () => {
  place = scratch('reconnect')
  recorder = new Recorder({
    hub: relay.hub,
    storage: new DiskStorage(),
    journal: new SqliteJournal(':memory:'),
    config: recorderConfigSchema.parse({ dir: place.path, recordAll: false, minFreeMb: 0 }),
    logger: { debug() {}, info() {}, warn() {}, error() {} },
  })
  await recorder.start()
})
afterEach(async () => {
  await recorder.stop({ deadlineMs: 5000 })
  place.drop()
})

/** Publishes `path` until `frames` have come, then kills the publisher as a crash would. */
async function crash(name: string, path: string, frames: number, args: readonly string[]): Promise<Session> {
  const session = new Session(frames)
  const started = Promise.withResolvers<void>()
  const unlisten = relay.hub.listen({
    started: (stream) => {
      if (stream.address.participant !== name) return
      stream.subscribe(session, { fromKeyframe: true })
      started.resolve()
    },
  })
  const publisher = publish(path, relay.url(name), { speed: 1, args })
  await started.promise
  unlisten()
  await session.enough
  publisher.end('SIGKILL')
  await session.ended.promise
  return session
}

/** The absence itself, by the wall clock. */
const absence = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

function record(name: string, options: RecordOptions): Recording {
  return recorder.record({ room: 'live', participant: name }, { reconnectWindowMs: 30_000, ...options })
}

const timesMs = (packets: readonly ProbedPacket[]) => packets.map(({ pts }) => pts * 1000)
const of = (packets: readonly ProbedPacket[], kind: 'video' | 'audio') => packets.filter(({ type }) => type === kind)

/** How far `mine`, from one session, lie behind `source`, packet by packet, in decoding order; ms. */
function lagsMs(mine: readonly ProbedPacket[], source: readonly ProbedPacket[]): number[] {
  const from = timesMs(source)
  return timesMs(mine).map((ms, i) => ms - from[i])
}

const spread = (values: readonly number[]) => Math.max(...values) - Math.min(...values)

describe('ffmpeg is killed and comes back', () => {
  it.each([
    ['as it was, into MP4', 'mp4', 'av', 'av', 3000, []],
    ['as it was, into FLV', 'flv', 'av', 'av', 2000, []],
    ['as it was, into Matroska', 'mkv', 'av', 'av', 5000, []],
    ['with its clock a day ahead', 'auto', 'av', 'av', 2500, ['-copyts', '-output_ts_offset', '86400']],
    ['in another resolution and rate', 'mp4', 'av', 'other', 2000, []],
    ['with a picture, after sound alone', 'mp4', 'sound', 'av', 3000, []],
  ] as const)('%s', async (name, format, first, second, awayMs, args) => {
    const recording = record(name.replaceAll(/\W+/g, '-'), { format })
    const { participant } = recording.address
    const before = await crash(participant, media[first], 60, [])
    expect(recording.isAway).toBe(true)
    await absence(awayMs)
    const after = await crash(participant, media[second], 60, args)
    await recording.stop()

    expect(recording.parts).toHaveLength(1)
    const report = recording.report()
    expect(report).toMatchObject({ state: 'completed', reconnects: 1, jumps: { count: 0 }, skippedFrames: 0 })
    const { path } = recording.parts[0]
    expect(await decodingFaults(path, LATE_PICTURE)).toBe('')

    const packets = await packetsOf(path)
    const [sent, resent] = await Promise.all([packetsOf(media[first]), packetsOf(media[second])])
    const lags: number[] = []
    for (const kind of ['video', 'audio'] as const) {
      const mine = of(packets, kind)
      const count = before.hashes[kind].length
      const [old, young] = [mine.slice(0, count), mine.slice(count)]
      // another resolution has its parameter sets put before its keyframes
      const hashes = (all: readonly ProbedPacket[]) => all.map(({ hash, key }) => (key && kind === 'video' ? '' : hash))
      const expected = [...of(sent, kind).slice(0, count), ...of(resent, kind).slice(0, after.hashes[kind].length)]
      expect(hashes(mine)).toEqual(hashes(expected))
      if (old.length > 0) expect(spread(lagsMs(old, of(sent, kind)))).toBeLessThanOrEqual(2)
      lags.push(...lagsMs(young, of(resent, kind)))
    }
    // picture and sound of the new session are moved by the very same time
    expect(spread(lags)).toBeLessThanOrEqual(2)

    const [lastMs, nextMs] = [before.hashes, after.hashes].map((_, i) => {
      const half = (['video', 'audio'] as const).flatMap((kind) => {
        const count = before.hashes[kind].length
        const mine = of(packets, kind)
        return timesMs(i === 0 ? mine.slice(0, count) : mine.slice(count))
      })
      return i === 0 ? Math.max(...half) : Math.min(...half)
    })
    const wallMs = after.firstAtMs - before.lastAtMs
    expect(wallMs).toBeGreaterThan(awayMs)
    expect(Math.abs(nextMs - lastMs - wallMs)).toBeLessThanOrEqual(300)
    expect(Math.max(...report.gaps.listed.map(({ durationMs }) => durationMs))).toBeGreaterThan(awayMs)
  })
})

describe('three participants of a room', () => {
  it('lie within 20 ms of each other on the common clock, whenever each came and was recorded', async () => {
    const names = ['ann', 'bob', 'cid']
    const zeroAtMs = performance.now()
    const publishers: PacedPublisher[] = []
    for (const name of names) {
      const publisher = await PacedPublisher.start(relay.port, 'live', name, media.av)
      publishers.push(publisher)
      const session = new Session(10 + 7 * publishers.length)
      relay.hub.find({ room: 'live', participant: name })?.subscribe(session, { fromKeyframe: true })
      await session.enough
      // in the middle of a group of pictures: the recording begins in the past
      record(name, { zeroAtMs, directory: `${place.path}/room`, format: 'auto' })
    }
    const { recordings } = recorder
    await absence(4000)
    await Promise.all(recordings.map((recording) => recording.stop()))
    for (const publisher of publishers) publisher.stop()

    const errorsMs = await Promise.all(
      recordings.map(async (recording, i) => {
        const [file] = recording.files()
        expect(file.path.startsWith(`${place.path}/room/`)).toBe(true)
        const packets = of(await packetsOf(file.path), 'video')
        const { sent } = publishers[i]
        const hash = ({ body }: { body: Buffer }) => `MD5:${createHash('md5').update(body.subarray(5)).digest('hex')}`
        const index = sent.findIndex((tag) => tag.type === 9 && hash(tag) === packets[0].hash)
        expect(index).toBeGreaterThanOrEqual(0)
        // when its clock showed 0: a tag is never sent before its time
        const beganAtMs = Math.min(...sent.map(({ atMs, timestampMs }) => atMs - timestampMs))
        const sentAtMs = beganAtMs + sent[index].timestampMs - zeroAtMs
        return file.offsetMs + packets[0].dts * 1000 - sentAtMs
      }),
    )
    expect(spread(errorsMs), errorsMs.join(' ')).toBeLessThanOrEqual(20)
    expect(Math.max(...errorsMs.map(Math.abs)), errorsMs.join(' ')).toBeLessThanOrEqual(40)
  })
})
