import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Hub } from '../../src/live/hub.ts'
import { Frame } from '../../src/media/frame.ts'
import type { AudioTrack, Track, VideoTrack } from '../../src/media/track.ts'
import { RtmpBroadcast } from '../../src/playback/rtmp/broadcast.ts'
import { audioTrack, videoTrack } from '../media/frames.ts'
import { KeptOutput } from './outputs.ts'

const quiet = { debug() {}, info() {}, warn() {}, error() {} }
const limits = { maxBufferedBytes: 1000, maxDelayMs: 2000, maxSlowMs: 10_000 }
const video: VideoTrack = { ...videoTrack(1), config: Uint8Array.of(1, 2, 3) }
const audio: AudioTrack = { ...audioTrack(2), config: Uint8Array.of(0x11, 0x90) }

function live(tracks: Track[] = [video, audio], multitrack = false) {
  const stream = new Hub({ takeover: false, maxStreams: 1 }, quiet).publish(
    { room: 'live', participant: 'test' },
    { source: 'embedded' },
  )
  for (const track of tracks) stream.track(track)
  let idle = 0
  const open = () =>
    new RtmpBroadcast(stream, {
      form: { messageStreamId: 1, chunkSize: 4096 },
      limits,
      logger: quiet,
      multitrack,
      onIdle: () => void idle++,
    })
  const write = (track: Track, dts: number, key = track.kind === 'audio', size = 10) =>
    stream.write(new Frame(track, dts, dts, key, new Uint8Array(size).fill(dts & 0xff)))
  /** The next turn of a live socket: what was gathered goes out. */
  const tick = (ms = 60) => {
    vi.advanceTimersByTime(ms)
    stream.flush()
  }
  return { stream, open, write, tick, idle: () => idle }
}

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] }))
afterEach(() => void vi.useRealTimers())

describe('RtmpBroadcast', () => {
  it('gives every player setup and GOP, then what comes: no gap, nothing twice, wherever it joins', () => {
    const { open, write, tick } = live()
    write(video, 0, true)
    write(audio, 5)
    const broadcast = open()
    const first = new KeptOutput()
    broadcast.join(first)
    write(video, 40)
    tick()
    write(audio, 45)
    const second = new KeptOutput()
    broadcast.join(second)
    write(video, 80)
    tick()
    expect(first.script).toBe('M0 V0 A0 v0! a5 v40 a45 v80')
    expect(second.script).toBe('M0 V0 A0 v0! a5 v40 a45 v80')
  })

  it('puts a batch into chunks once, in the same memory as the last one when nobody holds that', () => {
    const { open, write, tick } = live()
    write(video, 0, true)
    const broadcast = open()
    const outputs = [new KeptOutput(), new KeptOutput(), new KeptOutput()]
    for (const output of outputs) broadcast.join(output)
    const sent = () => outputs.map(({ buffers }) => buffers.at(-1))
    const send = (dts: number) => {
      write(video, dts)
      tick()
      expect(new Set(sent()).size).toBe(1)
      return sent()[0]?.buffer
    }
    const memory = send(40)
    expect(send(80)).toBe(memory)
    outputs[1].bufferedBytes = 1 // the socket has not taken all of it
    expect(send(120)).toBe(memory)
    outputs[1].bufferedBytes = 0
    expect(send(160)).not.toBe(memory)
  })

  it('sends with a flush, yet not too often, and after a tenth of a second without any', () => {
    const { open, write, tick } = live()
    write(video, 0, true)
    const output = new KeptOutput()
    open().join(output)
    const sends = () => output.buffers.length - 1
    write(video, 40)
    tick(60)
    expect(sends()).toBe(1)
    for (let i = 0; i < 9; i++) {
      write(video, 80 + i)
      tick(10)
    }
    expect(sends()).toBe(2)
    tick(60)
    expect(sends()).toBe(3)
    write(video, 120)
    vi.advanceTimersByTime(99)
    expect(sends()).toBe(3)
    vi.advanceTimersByTime(1)
    expect([sends(), output.script.slice(-4)]).toEqual([4, 'v120'])
  })

  it('drops a slow player to the next keyframe, with setup again, and harms no other', () => {
    const { open, write, tick } = live()
    write(video, 0, true)
    const broadcast = open()
    const [slow, fast] = [new KeptOutput(), new KeptOutput()]
    const player = broadcast.join(slow)
    broadcast.join(fast)
    slow.stuck = true
    write(video, 40, false, 2000)
    tick()
    expect(player.state).toBe('slow')
    write(video, 80)
    tick()
    slow.stuck = false
    slow.bufferedBytes = 0
    write(video, 120)
    tick()
    expect(player.state).toBe('waiting')
    write(audio, 155)
    write(video, 160, true)
    write(video, 200)
    tick()
    expect(slow.script).toBe('M0 V0 A0 v0! v40 M200 V200 A200 v160! v200')
    expect(fast.script).toBe('M0 V0 A0 v0! v40 v80 v120 a155 v160! v200')
    expect([player.skips, player.state]).toEqual([1, 'playing'])
  })

  it('calls a player slow whose bytes wait for two seconds, even if they are few; disconnects it after ten more', () => {
    const { stream, open, write, tick, idle } = live()
    write(video, 0, true)
    const output = new KeptOutput()
    const player = open().join(output)
    output.stuck = true
    let dts = 40
    for (; player.state === 'playing' && dts < 10_000; dts += 60) {
      write(video, dts, true)
      tick()
    }
    expect(output.bufferedBytes).toBeLessThan(limits.maxBufferedBytes)
    expect(dts).toBeGreaterThan(1900)
    expect(dts).toBeLessThan(2400)
    for (; !output.disconnected && dts < 20_000; dts += 60) {
      write(video, dts, true)
      tick()
    }
    expect(dts).toBeGreaterThan(11_900)
    expect(dts).toBeLessThan(12_600)
    expect([player.state, stream.playerCount, idle()]).toEqual(['ended', 0, 1])
  })

  it('allows the GOP of the beginning to wait in the socket', () => {
    const { open, write, tick } = live()
    write(video, 0, true, 5000)
    const output = new KeptOutput()
    output.stuck = true
    const player = open().join(output)
    write(video, 40)
    tick(3000)
    expect(player.state).toBe('playing')
  })

  it('sends new sequence headers for a new epoch, before its frames', () => {
    const { stream, open, write, tick } = live()
    write(video, 0, true)
    const output = new KeptOutput()
    const late = new KeptOutput()
    const broadcast = open()
    broadcast.join(output)
    write(video, 40)
    const next: VideoTrack = { ...video, epoch: 1, config: Uint8Array.of(4, 5, 6) }
    stream.track(next)
    write(next, 80, true)
    broadcast.join(late)
    tick()
    expect(output.script).toBe('M0 V0 A0 v0! v40 V40 v80!')
    expect(output.messages.filter(({ type, body }) => type === 9 && body[1] === 0).map(({ body }) => body[5])).toEqual([
      1, 4,
    ])
    expect(late.script).toBe('M80 V80 A80 v80!')
    expect(late.messages[1].body.subarray(5)).toEqual(Buffer.from([4, 5, 6]))
  })

  it('lets a player of a stream without a keyframe wait for one; one of sound alone begins at once', () => {
    const withVideo = live()
    withVideo.write(video, 0)
    const output = new KeptOutput()
    withVideo.open().join(output)
    withVideo.write(video, 40)
    withVideo.tick()
    expect(output.script).toBe('')
    withVideo.write(audio, 75)
    withVideo.write(video, 80, true)
    withVideo.tick()
    expect(output.script).toBe('M80 V80 A80 v80!')
    const sound = live([audio])
    const listener = new KeptOutput()
    sound.open().join(listener)
    sound.write(audio, 21)
    sound.tick()
    expect(listener.script).toBe('M0 A0 a21')
  })

  it('holds everything back while paused, and goes on at a keyframe', () => {
    const { open, write, tick } = live()
    write(video, 0, true)
    const output = new KeptOutput()
    const player = open().join(output)
    player.pause(true)
    write(video, 40, true)
    tick()
    player.pause(false)
    write(video, 80)
    tick()
    write(video, 120, true)
    tick()
    expect(output.script).toBe('M0 V0 A0 v0! M120 V120 A120 v120!')
  })

  it('tells the players when the stream ends, after the last frame; nothing stays subscribed', () => {
    const { stream, open, write, idle } = live()
    write(video, 0, true)
    const output = new KeptOutput()
    open().join(output)
    write(video, 40)
    stream.end('finished')
    expect(output.script).toBe('M0 V0 A0 v0! v40')
    expect(output.statuses).toEqual(['NetStream.Play.UnpublishNotify', 'NetStream.Play.Stop'])
    expect([stream.playerCount, idle()]).toEqual([0, 1])
  })

  it('is over with its last player', () => {
    const { stream, open, write, idle } = live()
    write(video, 0, true)
    const broadcast = open()
    const [first, second] = [broadcast.join(new KeptOutput()), broadcast.join(new KeptOutput())]
    first.end()
    first.end()
    expect([stream.playerCount, idle()]).toEqual([1, 0])
    second.end()
    expect([stream.playerCount, idle()]).toEqual([0, 1])
  })

  it('drops a player whose output throws, and no other', () => {
    const { open, write, tick } = live()
    write(video, 0, true)
    const broadcast = open()
    const [broken, good] = [new KeptOutput(), new KeptOutput()]
    broadcast.join(broken)
    broadcast.join(good)
    broken.send = () => {
      throw new Error('gone')
    }
    write(video, 40)
    tick()
    expect([broadcast.players.length, good.script]).toEqual([1, 'M0 V0 A0 v0! v40'])
  })

  it('wraps timestamps at 32 bits, and splits long messages into chunks', () => {
    const { open, write, tick } = live()
    const start = 2 ** 32 * 3 - 40
    write(video, start, true, 10_000)
    const output = new KeptOutput()
    open().join(output)
    write(video, start + 40)
    write(video, start + 80)
    tick()
    const stamp = 2 ** 32 - 40
    expect(output.script).toBe(`M${stamp} V${stamp} A${stamp} v${stamp}! v0 v40`)
    expect(output.messages[3].body.length).toBe(10_005)
  })

  it('sends codecs that legacy players do not know in enhanced tags', () => {
    const hevc: VideoTrack = { ...video, codec: 'hevc' }
    const opus: AudioTrack = { ...audio, codec: 'opus', timescale: 48_000 }
    const { open, write, tick } = live([hevc, opus])
    write(hevc, 0, true)
    const output = new KeptOutput()
    open().join(output)
    write(opus, 960)
    tick()
    const bodies = output.messages.map(({ type, timestamp, body }) => [type, timestamp, body.toString('latin1', 0, 5)])
    expect(bodies.slice(1)).toEqual([
      [9, 0, '\x90hvc1'],
      [8, 0, '\x90Opus'],
      [9, 0, '\x93hvc1'],
      [8, 20, '\x91Opus'],
    ])
  })

  it('sends further tracks to those who take multitrack, numbered by kind, and the first of each kind to all', () => {
    const tracks = [video, audio, { ...video, id: 3 }, { ...audio, id: 4 }]
    const bodies = (multitrack: boolean) => {
      const { open, write, tick } = live(tracks, multitrack)
      write(video, 0, true)
      write(tracks[2], 0, false) // in mid-GOP for who joins now
      const output = new KeptOutput()
      open().join(output)
      write(tracks[2], 40, true)
      write(tracks[3], 41)
      tick()
      return output.messages.slice(1).map(({ type, body }) => `${type} ${body.subarray(0, 7).toString('latin1')}`)
    }
    const [avcc, sound, frame] = ['9 \x17\0\0\0\0\x01\x02', '8 \xaf\0\x11\x90', '9 \x17\x01\0\0\0\0\0']
    expect(bodies(false)).toEqual([avcc, sound, frame])
    const second = (packetType: string) => [`9 \x96${packetType}avc1\x01`, `8 \x95${packetType}mp4a\x01`]
    const [video2, audio2] = second('\0')
    // without a composition time video is CodedFramesX (3), sound always CodedFrames (1)
    expect(bodies(true)).toEqual([avcc, sound, video2, audio2, frame, second('\x03')[0], second('\x01')[1]])
  })
})
