import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, describe, expect, it } from 'vitest'
import { complaints, packetsOf, probe } from '../peers/ffmpeg.ts'
import { scratch } from '../peers/tapedeck.ts'

const run = promisify(execFile)
const examples = resolve(import.meta.dirname, '../../examples')
const place = scratch('examples')
afterAll(() => place.drop())

/** PCM in MP4 and plain WAV names no speakers; ffmpeg says that it takes the usual ones. */
async function faults(path: string): Promise<string> {
  return (await complaints(path)).replace(/^Guessed Channel Layout.*\n/gm, '').trim()
}

async function example(name: string): Promise<string> {
  return (await run(process.execPath, [join(examples, name), place.path])).stdout
}

describe('examples', () => {
  it('are all tried here', () => {
    expect(readdirSync(examples).sort()).toEqual([
      'audio-recorder.ts',
      'browser-room', // by browsers, in browser-module.test.ts
      'embed-the-server.ts',
      'mux-by-hand.ts',
      'record-with-the-library.ts',
      'recording-engine.ts',
    ])
  })

  it('audio-recorder', async () => {
    expect((await example('audio-recorder.ts')).match(/3000 ms/g)).toHaveLength(3)
    for (const name of ['tone.wav', 'tone.flac', 'tone.mp3']) {
      const path = join(place.path, name)
      expect(await faults(path), name).toBe('')
      expect(Number((await probe(path)).format.duration), name).toBeCloseTo(3, 1)
    }
  })

  it('record-with-the-library', async () => {
    await example('record-with-the-library.ts')
    for (const name of ['show.mp4', 'show.mkv', 'show.flv']) {
      const path = join(place.path, name)
      expect(await faults(path), name).toBe('')
      const packets = await packetsOf(path)
      expect(
        packets.filter(({ type }) => type === 'video'),
        name,
      ).toHaveLength(100)
      expect(packets.filter(({ type }) => type === 'audio').length, name).toBeGreaterThan(180)
      expect((await probe(path)).streams[0], name).toMatchObject({ codec_name: 'h264', width: 640, height: 360 })
    }
  })

  it('recording-engine', async () => {
    const said = await example('recording-engine.ts')
    expect(said).toMatch(/^studio: recording [\w-]+$/m)
    expect(said).toMatch(/^completed, [12](?:\.\d+)? s$/m)
    const [path] = /completed: (\S+\.mkv)/.exec(said)?.slice(1) ?? []
    const [file] = readdirSync(join(place.path, 'recordings'), { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.endsWith(path ?? '?'),
    )
    expect(await faults(join(place.path, 'recordings', file))).toBe('')
  })

  it('mux-by-hand', async () => {
    await example('mux-by-hand.ts')
    const source = (await packetsOf(join(place.path, 'source.ivf'))).map(({ hash }) => hash)
    for (const name of ['by-hand.mp4', 'by-hand.mkv']) {
      const path = join(place.path, name)
      expect(await faults(path), name).toBe('')
      const packets = await packetsOf(path)
      expect(
        packets.filter(({ type }) => type === 'video').map(({ hash }) => hash),
        name,
      ).toEqual(source)
      expect((await probe(path)).streams, name).toMatchObject([
        { codec_name: 'vp9', width: 320, height: 180 },
        { codec_name: 'pcm_s16le', sample_rate: '48000', channels: 1 },
      ])
    }
  })

  it('embed-the-server', async () => {
    const said = await example('embed-the-server.ts')
    const path = /finished (.*\.mp4)/.exec(said)?.[1] ?? ''
    expect(path).toContain(join(place.path, 'recordings', 'studio_tone_'))
    expect(await faults(path)).toBe('')
    expect(Number((await probe(path)).format.duration)).toBeCloseTo(2, 1)
    expect(readdirSync(join(place.path, 'recordings')).filter((name) => name.endsWith('.mp4.json'))).toHaveLength(1)
  })
})
