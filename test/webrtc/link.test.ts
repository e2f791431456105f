import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Arena } from '../../src/media/arena.ts'
import { LimitError, MalformedError } from '../../src/media/errors.ts'
import { Frame } from '../../src/media/frame.ts'
import type { Track } from '../../src/media/track.ts'
import { LinkReader, type LinkSink } from '../../src/webrtc/link/reader.ts'
import { parseReport, readTrack } from '../../src/webrtc/link/report.ts'
import { SessionOutlet } from '../../src/webrtc/link/session-outlet.ts'
import { TrackNumbers } from '../../src/webrtc/link/track-outlet.ts'
import { MAX_CONTROL_BYTES, MAX_FRAME_BYTES } from '../../src/webrtc/link/wire.ts'
import { LinkWriter } from '../../src/webrtc/link/writer.ts'

const VIDEO: Track = {
  kind: 'video',
  id: 1,
  epoch: 0,
  timescale: 90_000,
  label: 'camera',
  codec: 'h264',
  width: 1280,
  height: 720,
  config: Uint8Array.from([1, 100, 0, 31]),
}
const AUDIO: Track = {
  kind: 'audio',
  id: 2,
  epoch: 0,
  timescale: 48_000,
  codec: 'opus',
  sampleRateHz: 48_000,
  channels: 2,
  config: new Uint8Array(0),
}

/** The far end: what it was told, as text. */
class Collector implements LinkSink {
  readonly told: string[] = []
  readonly controls: unknown[] = []
  readonly #arena = new Arena()
  arena(session: number): Arena | undefined {
    return session === 404 ? undefined : this.#arena
  }
  control(message: unknown): void {
    this.controls.push(message)
    this.told.push(JSON.stringify(message))
  }
  frame(session: number, track: number, key: boolean, dts: number, pts: number, data: Uint8Array): void {
    this.told.push(`${session} ${track} ${key} ${dts} ${pts} ${Buffer.from(data).toString('hex')}`)
  }
  flush(): void {
    this.told.push('flush')
  }
}

/** A pipe that takes bytes, and says so when it is told to. */
class Pipe {
  readonly chunks: Buffer[] = []
  readonly #waiting: (() => void)[] = []
  isBlocked = false
  write(bytes: Uint8Array, done: () => void): boolean {
    this.chunks.push(Buffer.from(bytes))
    if (this.isBlocked) this.#waiting.push(done)
    else done()
    return !this.isBlocked
  }
  open(): void {
    this.isBlocked = false
    for (const done of this.#waiting.splice(0)) done()
  }
  get bytes(): Buffer {
    return Buffer.concat(this.chunks)
  }
}

function frame(track: Track, dts: number, key: boolean, size: number): Frame {
  return new Frame(track, dts, dts + 1, key, new Uint8Array(size).fill(dts & 0xff))
}

function read(bytes: Buffer, cuts: readonly number[] = []): Collector {
  const collector = new Collector()
  const reader = new LinkReader(collector)
  const edges = [0, ...[...cuts].sort((a, b) => a - b), bytes.length]
  for (let i = 1; i < edges.length; i++) {
    const piece = Buffer.from(bytes.subarray(edges[i - 1], edges[i]))
    reader.read(piece, piece.length)
    piece.fill(0xee) // the buffer is used again
  }
  reader.close()
  return collector
}

function message(type: number, length: number, body = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(8)
  header.writeUInt32LE(length, 0)
  header[4] = type
  return Buffer.concat([header, body])
}

describe('the link', () => {
  it('gives what was put on it, however it is cut', () => {
    const pipe = new Pipe()
    const writer = new LinkWriter(pipe)
    writer.control({ op: 'alive', text: 'Grüße' })
    writer.frame(7, 1, frame(VIDEO, 90_000_000_000, true, 3))
    writer.frame(404, 1, frame(VIDEO, 5, true, 50))
    writer.frame(7, 2, frame(AUDIO, -3, true, 0))
    writer.flush()
    writer.frame(7, 1, frame(VIDEO, 300, false, 200_000))
    writer.control({ op: 'closed' })
    writer.flush()
    const expected = read(pipe.bytes).told
    expect(expected.map((line) => line.slice(0, 60))).toEqual([
      '{"op":"alive","text":"Grüße"}',
      '7 1 true 90000000000 90000000001 000000',
      '7 2 true -3 -2 ',
      'flush',
      `7 1 false 300 301 ${'2c'.repeat(21)}`,
      'flush',
      '{"op":"closed"}',
      'flush',
    ])
    fc.assert(
      fc.property(fc.array(fc.nat(pipe.bytes.length), { maxLength: 40 }), (cuts) => {
        expect(read(pipe.bytes, cuts).told).toEqual(expected)
      }),
      { numRuns: 50 },
    )
  })

  it.each<[string, Buffer, new (...args: never[]) => Error]>([
    ['a type that is none', message(9, 0), MalformedError],
    ['a frame without fields', message(2, 23), MalformedError],
    ['a frame beyond the bound', message(2, MAX_FRAME_BYTES + 25), LimitError],
    ['a control message beyond the bound', message(1, MAX_CONTROL_BYTES + 1), LimitError],
    ['an empty control message', message(1, 0), MalformedError],
    ['a flush with a body', message(3, 1), MalformedError],
    ['what is not JSON', message(1, 1, Buffer.from('{')), MalformedError],
    ['no time', message(2, 24, Buffer.alloc(24, 0xff)), MalformedError],
  ])('refuses %s', (_what, bytes, expected) => {
    expect(() => read(bytes)).toThrow(expected)
  })

  it('tells nothing that is too long', () => {
    const pipe = new Pipe()
    const writer = new LinkWriter(pipe)
    expect(writer.control({ text: 'x'.repeat(MAX_CONTROL_BYTES) })).toBe(false)
    writer.flush()
    expect(pipe.chunks).toEqual([])
  })

  it('refuses reports that are none', () => {
    for (const report of [null, {}, { op: 'format' }, { op: 'met', session: 1, line: 'x' }, { op: 'end', session: -1 }])
      expect(() => parseReport(report)).toThrow(MalformedError)
  })
})

describe('a session over the link', () => {
  function outlet(bounds = { videoFrames: 6, audioFrames: 4 }) {
    const pipe = new Pipe()
    const writer = new LinkWriter(pipe)
    const asked: number[] = []
    const session = new SessionOutlet(5, writer, new TrackNumbers(), bounds, {
      requestKeyframe: (trackId) => asked.push(trackId),
      ended: () => asked.push(-1),
    })
    writer.onDrain = () => {
      while (!writer.isFull && session.drainOne());
    }
    return { pipe, writer, session, asked }
  }

  it('announces each configuration before its first frame', () => {
    const { pipe, writer, session, asked } = outlet()
    const next: Track = { ...VIDEO, epoch: 1, width: 640 }
    session.track(VIDEO)
    session.met('connected')
    session.frame(frame(VIDEO, 0, true, 1))
    session.frame(frame(AUDIO, 0, true, 1))
    session.frame(frame(next, 9, true, 1))
    session.end({ reason: 'finished' })
    writer.flush()
    const { told, controls } = read(pipe.bytes)
    const tracks = controls.map(parseReport).filter((report) => report.op === 'track')
    expect(tracks.map((report) => [report.ref, readTrack(report.track)])).toEqual([
      [1, VIDEO],
      [2, AUDIO],
      [3, next],
    ])
    expect(told.filter((line) => line.startsWith('5 '))).toEqual([
      '5 1 true 0 1 00',
      '5 2 true 0 1 00',
      '5 3 true 9 10 09',
    ])
    expect(told.at(-2)).toBe('{"op":"end","session":5,"end":{"reason":"finished"}}')
    expect(asked).toEqual([-1])
  })

  it('keeps frames while nobody reads, drops whole GOPs, counts them and asks for a keyframe', () => {
    const { pipe, writer, session, asked } = outlet()
    pipe.isBlocked = true
    session.frame(frame(VIDEO, 0, true, 1_100_000)) // fills the pipe
    writer.flush()
    expect(writer.isFull).toBe(true)
    for (let i = 1; i <= 8; i++) session.frame(frame(VIDEO, i, i === 5, 10)) // 1 to 4 go when 7 comes
    for (let i = 1; i <= 6; i++) session.frame(frame(AUDIO, i, true, 10)) // 1 and 2 go
    expect(asked).toEqual([1])
    session.figures({ tracks: [] }) // not now
    pipe.open()
    expect(writer.isFull).toBe(false)
    session.figures({ tracks: [figures(1, 3), figures(2, 0)] })
    writer.flush()
    const { told, controls } = read(pipe.bytes)
    const frames = told.filter((line) => line.startsWith('5 ')).map((line) => line.split(' ').slice(1, 4).join(' '))
    expect(frames.filter((line) => line.startsWith('1')).slice(1)).toEqual([
      '1 true 5',
      '1 false 6',
      '1 false 7',
      '1 false 8',
    ])
    expect(frames.filter((line) => line.startsWith('2'))).toEqual(['2 true 3', '2 true 4', '2 true 5', '2 true 6'])
    const [report] = controls.map(parseReport).filter((one) => one.op === 'figures')
    expect(report.figures.tracks.map((track) => track.droppedFrames)).toEqual([7, 2])
  })

  it('tells its last figures, also when nobody has read for a while', () => {
    const { pipe, writer, session } = outlet()
    pipe.isBlocked = true
    session.frame(frame(VIDEO, 0, true, 1_100_000))
    writer.flush()
    session.figures({ tracks: [figures(1, 1)] })
    session.figures({ tracks: [figures(1, 2)] })
    session.end({ reason: 'finished' })
    pipe.open()
    writer.flush()
    const told = read(pipe.bytes).controls.map(parseReport)
    expect(told.map(({ op }) => op)).toEqual(['track', 'figures', 'end'])
    expect(told[1]).toMatchObject({ figures: { tracks: [{ droppedFrames: 2 }] } })
  })
})

function figures(trackId: number, droppedFrames: number) {
  return {
    trackId,
    kind: 'video' as const,
    codec: 'h264',
    mid: '0',
    frames: 0,
    keyframes: 0,
    bytes: 0,
    droppedFrames,
    damagedFrames: 0,
    undecodableFrames: 0,
    packets: 0,
    packetsLost: 0,
    packetsRecovered: 0,
    packetsDuplicate: 0,
    packetsLate: 0,
    lossRate: 0,
    nacks: 0,
    plis: 0,
    firs: 0,
    rtx: 0,
    jitterMs: 0,
    bitrateBps: 0,
    resolutionChanges: 0,
  }
}
