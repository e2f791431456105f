import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { AudioRecorder } from '../../src/library/audio-recorder.ts'

const directory = mkdtempSync(join(tmpdir(), 'tapedeck-audio-'))
afterAll(() => rmSync(directory, { recursive: true }))

/** Voice-like: two tones, some noise that a seeded generator makes, a silent stretch, full-scale clicks. */
function signal(instants: number, channels: number, rateHz: number): Int16Array {
  let seed = 1
  const noise = () => (seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0) / 2 ** 32 - 0.5
  return Int16Array.from({ length: instants * channels }, (_, i) => {
    const at = Math.floor(i / channels)
    if (at % 20_000 < 5000) return 0
    if (at % 9973 === 0) return i % 2 === 0 ? 32_767 : -32_768
    const tone =
      Math.sin((at * 440 * 2 * Math.PI) / rateHz) +
      0.3 * Math.sin((at * (1000 + 500 * (i % channels)) * 6.2832) / rateHz)
    return Math.round(tone * 15_000 + noise() * 2000)
  })
}

function decode(path: string): Int16Array {
  const pcm = execFileSync('ffmpeg', ['-v', 'warning', '-xerror', '-i', path, '-f', 's16le', '-'], {
    maxBuffer: 1 << 28,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  return new Int16Array(new Uint8Array(pcm).buffer)
}

describe('lossless, made here', () => {
  it.each([
    ['wav', 48_000, 2],
    ['wav', 8000, 1],
    ['wav', 48_000, 6],
    ['flac', 48_000, 2],
    ['flac', 44_100, 1],
    ['flac', 11_025, 2],
    ['flac', 96_000, 3],
    ['flac', 176_400, 2],
    ['flac', 37_800, 6],
  ])('%s %i Hz %i channels: every sample back', async (format, sampleRateHz, channels) => {
    const path = join(directory, `${format}-${sampleRateHz}-${channels}.${format}`)
    const samples = signal(sampleRateHz + 1234, channels, sampleRateHz)
    const recorder = await AudioRecorder.open(path, { sampleRateHz, channels })
    for (let at = 0; at < samples.length; at += 1001 * channels) {
      recorder.writeSamples(samples.subarray(at, at + 1001 * channels))
    }
    const stats = await recorder.finalize()
    expect(stats).toMatchObject({ instants: sampleRateHz + 1234, sizeBytes: statSync(path).size })
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(Buffer.compare(Buffer.from(decode(path).buffer), Buffer.from(samples.buffer))).toBe(0)
    if (format === 'flac') expect(stats.sizeBytes).toBeLessThan(samples.byteLength)
  })

  it.each(['wav', 'flac'])('%s plays while it grows', async (format) => {
    const path = join(directory, `growing.${format}`)
    const samples = signal(48_000 * 3, 2, 48_000)
    const recorder = await AudioRecorder.open(path, { sampleRateHz: 48_000, channels: 2 })
    recorder.writeSamples(samples)
    await vi.waitFor(() => expect(recorder.getStats().backlogBytes).toBe(0), { timeout: 5000 })
    const kept = decode(path)
    await recorder.abort()
    expect(kept.length).toBeGreaterThan(samples.length - 8192 * 2)
    expect(Buffer.compare(Buffer.from(kept.buffer), Buffer.from(samples.buffer, 0, kept.byteLength))).toBe(0)
  })
})

describe('encoded, by ffmpeg', () => {
  it.each([
    ['voice.m4a', 'aac'],
    ['voice.opus', 'opus'],
    ['voice.mp3', 'mp3'],
  ])('%s', async (name, codec) => {
    const path = join(directory, name)
    const recorder = await AudioRecorder.open(path, { sampleRateHz: 48_000, channels: 2, bitrateBps: 96_000 })
    const samples = signal(48_000, 2, 48_000)
    for (let i = 0; i < 5; i++) {
      recorder.writeSamples(samples)
      await recorder.drain()
    }
    expect((await recorder.finalize()).durationMs).toBe(5000)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    const probe = JSON.parse(
      execFileSync('ffprobe', ['-v', 'error', '-of', 'json', '-show_streams', '-show_format', path], {
        encoding: 'utf8',
      }),
    )
    expect(probe.streams[0]).toMatchObject({ codec_name: codec, channels: 2 })
    expect(Number(probe.format.duration)).toBeCloseTo(5, 0)
  })

  it('says what to install when there is no ffmpeg, and leaves nothing behind', async () => {
    const path = join(directory, 'none.mp3')
    await expect(
      AudioRecorder.open(path, { sampleRateHz: 48_000, channels: 2, ffmpegPath: '/nonexistent/ffmpeg' }),
    ).rejects.toMatchObject({ code: 'TD_FFMPEG_MISSING', message: expect.stringContaining('apt install ffmpeg') })
    expect(readdirSync(directory)).not.toContain('none.mp3')
  })

  it('tells how ffmpeg ended when it fails', async () => {
    const recorder = await AudioRecorder.open(join(directory, 'bad.mp3'), {
      sampleRateHz: 48_000,
      channels: 2,
      ffmpegPath: '/bin/false',
    })
    recorder.writeSamples(new Int16Array(80_000))
    await expect(recorder.finalize()).rejects.toMatchObject({
      code: 'TD_FFMPEG_FAILED',
      message: expect.stringContaining('ended with code 1'),
    })
  })
})
