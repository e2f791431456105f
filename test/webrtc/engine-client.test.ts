import { spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { mutate, random } from '../../fuzz/mutate.ts'
import { MalformedError, UnsupportedError } from '../../src/media/errors.ts'
import type { Frame } from '../../src/media/frame.ts'
import type { PublishRequest, PublishSink, SessionEnd } from '../../src/webrtc/engine.ts'
import { EngineClient } from '../../src/webrtc/engine-client.ts'
import { MediaProcessError } from '../../src/webrtc/transport-error.ts'
import { RtpSender } from '../peers/rtp-sender.ts'
import type { RtpStreamPlan } from '../peers/rtp-stream.ts'
import { transportOf } from '../peers/sdp-transport.ts'
import { freePort } from '../peers/tapedeck.ts'
import { until } from '../peers/until.ts'

const SILENT = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
const RELAYING = new URL('../peers/relaying-process.ts', import.meta.url)

function client(entry?: URL, udpPort = 0): EngineClient {
  const transport = { udpPort, bindAddress: '127.0.0.1', publicAddresses: [], iceServers: [] }
  return new EngineClient({ transport, logger: SILENT, ...(entry === undefined ? {} : { entry }) })
}

function request(id: string, offer: string): PublishRequest {
  const codecs = { videoCodecs: ['vp8'], audioCodecs: ['opus'] } as const
  return { id, offer, ...codecs, layers: 'best', maxBitrateBps: 5_000_000, jitterBudgetMs: 1000, labels: {} }
}

/** Keeps what a session gives. */
class Kept implements PublishSink {
  readonly log: string[] = []
  readonly ends: SessionEnd[] = []
  met(line: string): void {
    this.log.push(line)
  }
  figures(): void {}
  track(track: { codec: string }): void {
    this.log.push(track.codec)
  }
  frame(frame: Frame): void {
    const isWhole = frame.data.subarray(1).every((byte) => byte === (frame.data[0] === 1 ? 0xaa : 0xbb))
    this.log.push(`${frame.dts} ${frame.key} ${frame.data.length} ${isWhole}`)
  }
  flush(): void {
    if (this.log.at(-1) !== 'flush') this.log.push('flush')
  }
  loss(): void {}
  end(end: SessionEnd): void {
    this.ends.push(end)
  }
}

/** Frames of three packets, every fifth of them key. */
function plan(maxFrames: number): RtpStreamPlan {
  const frames = Array.from({ length: 5 }, (_, i) => {
    const filled = (size: number) => new Uint8Array(size).fill(i === 0 ? 0xaa : 0xbb)
    const first = filled(1100)
    first[0] = i === 0 ? 1 : 0
    return [first, filled(1100), filled(333)]
  })
  return { ssrc: 7, payloadType: 96, frames, framesPerSecond: 100, clockRateHz: 90_000, maxFrames }
}

describe('the engine in a process of its own', () => {
  let sender: RtpSender
  beforeAll(async () => {
    sender = await RtpSender.start()
  })
  afterAll(() => sender.kill())

  it('gives sessions, tracks and whole frames in order, and ends with its client', async () => {
    const engine = client(RELAYING)
    expect(engine.pid).toBeUndefined()
    const sink = new Kept()
    const offer = await sender.offer('anna', { codec: 'vp8', ssrcs: [7], bindAddress: '127.0.0.1' })
    const session = await engine.publish(request('anna', offer), sink)
    expect(session.id).toBe('anna')
    await sender.answer('anna', session.answer)
    sender.send('anna', plan(50))
    const frames = () => sink.log.filter((line) => line.includes(' '))
    await until('all frames', () => frames().length === 50 || undefined)
    expect(sink.log.slice(0, 2)).toEqual(['connected', 'vp8'])
    expect(frames()).toEqual(Array.from({ length: 50 }, (_, i) => `${i * 900} ${i % 5 === 0} 2533 true`))
    await until('the end of a batch', () => sink.log.at(-1) === 'flush' || undefined)

    const { pid } = engine
    await engine.close()
    expect(sink.ends).toEqual([])
    expect(() => process.kill(pid ?? 0, 0)).toThrow('ESRCH')
    await expect(engine.publish(request('late', offer), sink)).rejects.toThrow(MediaProcessError)
  })

  it('refuses as the engine does', async () => {
    const engine = client()
    const sink = new Kept()
    await expect(engine.publish(request('a', 'rubbish'), sink)).rejects.toThrow(MalformedError)
    await expect(engine.publish(request('b', 'x'.repeat(2_000_000)), sink)).rejects.toThrow(MalformedError)
    const watch = { id: 'c', offer: await sender.offer('c', { codec: 'vp8', ssrcs: [7] }), publisherId: 'nobody' }
    await expect(engine.watch(watch, sink)).rejects.toThrow(UnsupportedError)
    expect(sink.ends).toEqual([])
    await engine.close()
  })

  it('says why when the process cannot run, each time', async () => {
    const engine = client(new URL('../peers/not-there.ts', import.meta.url))
    for (let i = 0; i < 2; i++) {
      const failed = engine.publish(request('a', ''), new Kept())
      await expect(failed).rejects.toThrow(/the process in which WebRTC runs ended with code 1/)
      await expect(failed).rejects.toThrow(MediaProcessError)
    }
    await engine.close()
  })

  it('outlives two deaths under load: sessions end, and the next ones are in a new process', async () => {
    const engine = client(RELAYING)
    for (const signal of ['SIGKILL', 'SIGABRT'] as const) {
      const sinks = [new Kept(), new Kept()]
      for (const [i, sink] of sinks.entries()) {
        const id = `${signal}${i}`
        const offer = await sender.offer(id, { codec: 'vp8', ssrcs: [7], bindAddress: '127.0.0.1' })
        await sender.answer(id, (await engine.publish(request(id, offer), sink)).answer)
        sender.send(id, { ...plan(0), maxFrames: 100_000 })
      }
      await until('media', () => sinks.every((sink) => sink.log.length > 30) || undefined)
      process.kill(engine.pid ?? 0, signal)
      await until('the ends', () => sinks.every((sink) => sink.ends.length > 0) || undefined)
      const message = `the process in which WebRTC runs died of ${signal}`
      for (const sink of sinks) expect(sink.ends).toEqual([{ reason: 'failed', code: 'TD_MEDIA_PROCESS', message }])
      expect(engine.pid).toBeUndefined()
      for (const i of sinks.keys()) await sender.stop(`${signal}${i}`)
    }
    expect(engine.starts).toBe(2)
    await engine.close()
  })

  it('goes on whatever is thrown at its port', async () => {
    const port = await freePort()
    const engine = client(RELAYING, port)
    const sink = new Kept()
    const offer = await sender.offer('target', { codec: 'vp8', ssrcs: [7], bindAddress: '127.0.0.1' })
    const session = await engine.publish(request('target', offer), sink)
    await sender.answer('target', session.answer)
    const usernames = [`${transportOf(session.answer).iceUfrag}:${transportOf(offer).iceUfrag}`, 'nobody:nowhere']
    const dtls = Buffer.from('16fefd0000000000000000002c010000200000000000000020fefd', 'hex') // ClientHello, RFC 6347 §4.2
    const seeds = [...usernames.map(bindingRequest), dtls, Buffer.from('8060000100000000000000070102', 'hex')]
    const attacker = createSocket('udp4')
    const pick = random(20_261_121)
    for (let i = 0; i < 10_000; i++) {
      const packet = mutate(seeds[i % seeds.length], seeds[pick(seeds.length)], pick).subarray(0, 1400)
      await new Promise((resolve) => attacker.send(packet, port, '127.0.0.1', resolve))
    }
    attacker.close()
    sender.send('target', plan(20))
    const frames = () => sink.log.filter((line) => line.includes(' ')).length
    await until('all frames', () => frames() === 20 || undefined)
    expect([engine.starts, sink.ends]).toEqual([1, []])
    await engine.close()
  })

  it('leaves no process behind when its own is killed', async () => {
    const script = `
      import { EngineClient } from ${JSON.stringify(new URL('../../src/webrtc/engine-client.ts', import.meta.url).href)}
      const transport = { udpPort: 0, bindAddress: '127.0.0.1', publicAddresses: [], iceServers: [] }
      const engine = new EngineClient({ transport, logger: { debug() {}, error() {} } })
      await engine.publish(${JSON.stringify(request('a', ''))}, {}).catch(() => {})
      process.stdout.write(String(engine.pid))
      setInterval(() => {}, 1000)`
    const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [output] = await once(parent.stdout, 'data')
    const pid = Number(/\d+$/.exec(String(output))?.[0])
    expect(() => process.kill(pid, 0)).not.toThrow()
    parent.kill('SIGKILL')
    await until('the end of the media process', () => (isRunning(pid) ? undefined : true))
  })
})

/** STUN, as ICE asks (RFC 8489 §5, RFC 8445 §7.2.2), with a proof that is none. */
function bindingRequest(username: string): Buffer {
  const attribute = (type: number, value: Buffer) => {
    const header = Buffer.alloc(4)
    header.writeUInt16BE(type, 0)
    header.writeUInt16BE(value.length, 2)
    return Buffer.concat([header, value, Buffer.alloc(-value.length & 3)])
  }
  const attributes = Buffer.concat([
    attribute(0x0006, Buffer.from(username)),
    attribute(0x0024, Buffer.alloc(4, 0x6e)), // PRIORITY
    attribute(0x802a, Buffer.alloc(8, 1)), // ICE-CONTROLLING
    attribute(0x0008, Buffer.alloc(20, 2)), // MESSAGE-INTEGRITY
    attribute(0x8028, Buffer.alloc(4, 3)), // FINGERPRINT
  ])
  const header = Buffer.from('000100002112a442aaaaaaaaaaaaaaaaaaaaaaaa', 'hex')
  header.writeUInt16BE(attributes.length, 2)
  return Buffer.concat([header, attributes])
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
