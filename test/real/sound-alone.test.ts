import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createMuxer, extensionOf, openContainer, repairContainer } from '../../src/container/formats.ts'
import type { Format } from '../../src/container/reader.ts'
import { Frame } from '../../src/media/frame.ts'
import type { AudioTrack } from '../../src/media/track.ts'
import { MemoryFile, MemorySink } from '../container/matroska/memory-file.ts'
import { ChromiumPlayer } from '../peers/chromium.ts'
import { complaints, madeMedia, packetsOf, probe } from '../peers/ffmpeg.ts'

const SECONDS = 6
const TICKS = 960
/** The sender was silent (DTX) for so many packets from there on: a second. */
const SILENCE = { from: 100, packets: 50 }
/** 4 ms off a whole packet. */
const SHIFT_TICKS = 192

let directory = ''
let player: ChromiumPlayer
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'tapedeck-sound-'))
  player = await ChromiumPlayer.launch()
})
afterAll(async () => {
  await player.close()
  rmSync(directory, { recursive: true })
})

/** Opus on WebRTC's clock, with a silence in it. */
async function speech(): Promise<Frame[]> {
  const args = `-f lavfi -i sine=frequency=440:sample_rate=48000 -t ${SECONDS} -ac 2 -c:a libopus`
  const source = new MemoryFile(readFileSync(await madeMedia('sound-alone.webm', args)))
  const reader = await openContainer(source)
  const [first] = reader.tracks
  if (first.kind !== 'audio') throw new Error('no sound')
  const track: AudioTrack = { ...first, timescale: 48_000, label: 'microphone' }
  const frames: Frame[] = []
  let count = 0
  for await (const { offset, size } of reader.samples()) {
    const i = count++
    if (i >= SILENCE.from && i < SILENCE.from + SILENCE.packets) continue
    const at = i * TICKS + (i < SILENCE.from ? 0 : SHIFT_TICKS)
    frames.push(new Frame(track, at, at, true, await source.read(offset, size)))
  }
  return frames
}

async function inEveryState(format: Format, frames: readonly Frame[]): Promise<Record<string, Uint8Array>> {
  const out = new MemorySink()
  const muxer = createMuxer(format, out, { title: 'a talk' })
  muxer.start([frames[0].track])
  for (const frame of frames) muxer.write(frame)
  muxer.flush()
  const growing = out.bytes()
  await muxer.finish()
  const torn = new MemoryFile(growing.slice(0, -7))
  await repairContainer(torn)
  return { growing, finished: out.bytes(), repaired: torn.bytes }
}

describe.each(['ogg', 'webm', 'mkv', 'mp4'] as const)('sound alone in %s', (format) => {
  it('keeps a silence as long as it was, decodes without a word and plays in Chromium', async () => {
    const frames = await speech()
    const states = await inEveryState(format, frames)
    for (const [state, bytes] of Object.entries(states)) {
      const path = join(directory, `${state}${extensionOf(format, true)}`)
      writeFileSync(path, bytes)
      expect([state, await complaints(path)]).toEqual([state, ''])
      const packets = (await packetsOf(path)).filter(({ size }) => size > 2)
      const kept = state === 'repaired' ? packets.length : frames.length
      expect(kept).toBeGreaterThan(frames.length - 30)
      expect(packets.map(({ size }) => size)).toEqual(frames.slice(0, kept).map(({ data }) => data.length))
      // Matroska counts ms, Ogg fills a gap in steps of 2.5 ms
      const [zero] = packets
      const off = packets.map(({ pts }, i) => Math.abs(pts - zero.pts - frames[i].pts / 48_000))
      expect([state, Math.max(...off) < (format === 'ogg' ? 0.0025 : 0.001)]).toEqual([state, true])
      const { format: facts, streams } = await probe(path)
      expect(streams).toMatchObject([{ codec_name: 'opus', sample_rate: '48000', channels: 2 }])
      if (state === 'growing') continue
      expect(Math.abs(Number(facts.duration) - SECONDS)).toBeLessThan(0.6)
      expect(JSON.stringify([facts.tags, streams])).toMatch(/a talk.*microphone|microphone.*a talk/)
      if (state === 'repaired') continue
      const played = await player.play(path, 4)
      expect([state, played.error]).toEqual([state, undefined])
      expect(Math.abs(played.durationSeconds - SECONDS)).toBeLessThan(0.6)
      expect(played.seekedToSeconds).toBeGreaterThanOrEqual(4.5)
    }
  })
})
