import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { openContainer } from '../../src/container/formats.ts'
import { FileMuxer } from '../../src/library/file-muxer.ts'
import { DiskStorage } from '../../src/storage/disk.ts'

const directory = mkdtempSync(join(tmpdir(), 'tapedeck-muxer-'))
afterAll(() => rmSync(directory, { recursive: true }))
const pcm = { codec: 'pcm-s16le', sampleRateHz: 48_000, channels: 1 } as const

describe('FileMuxer', () => {
  it('keeps tracks in their order, with labels and languages', async () => {
    const path = join(directory, 'two.mkv')
    const muxer = await FileMuxer.open(path, { title: 'Two' })
    const tracks = [muxer.addAudioTrack({ ...pcm, label: 'left', language: 'eng' }), muxer.addAudioTrack(pcm)]
    expect(tracks).toEqual([1, 2])
    for (let i = 0; i < 10; i++)
      for (const track of tracks) muxer.writeAudioSample(track, Buffer.alloc(960, track), { dts: 480 * i })
    expect(await muxer.finalize()).toMatchObject({ format: 'mkv', audioFrames: 20, durationMs: 90 })
    const file = await new DiskStorage().open(path)
    const reader = await openContainer(file)
    expect(reader).toMatchObject({ title: 'Two', finalised: true })
    expect(reader.tracks).toMatchObject([{ label: 'left', language: 'eng' }, { channels: 1 }])
    await file.close()
  })

  it('holds its caller to times that grow, known tracks, and an end', async () => {
    const muxer = await FileMuxer.open(join(directory, 'strict.mp4'))
    const track = muxer.addAudioTrack(pcm)
    const data = Buffer.alloc(960)
    expect(() => muxer.writeAudioSample(track, data, { dts: -1 })).toThrow('times begin at 0')
    muxer.writeAudioSample(track, data, { dts: 480 })
    expect(() => muxer.writeAudioSample(track, data, { dts: 480 })).toThrow('does not come after 480')
    expect(() => muxer.writeAudioSample(track, data, { dts: 500.5 })).toThrow('whole ticks')
    expect(() => muxer.writeAudioSample(7, data, { dts: 960 })).toThrow('there is no track 7')
    await muxer.finalize()
    expect(() => muxer.writeAudioSample(track, data, { dts: 960 })).toThrow('after finalize')
    expect(() => muxer.addAudioTrack(pcm)).toThrow('after finalize')
  })

  it('says which codec a container cannot hold, and which options it does not know', async () => {
    const muxer = await FileMuxer.open(join(directory, 'narrow.flv'))
    expect(() => muxer.addAudioTrack(pcm)).toThrow('flv cannot hold pcm-s16le')
    await muxer.abort()
    await expect(FileMuxer.open(join(directory, 'x'), {})).rejects.toMatchObject({ code: 'TD_UNSUPPORTED' })
    await expect(FileMuxer.open(join(directory, 'x.mp4'), { creationTimeMs: -1 })).rejects.toMatchObject({
      code: 'TD_OPTIONS',
      message: expect.stringContaining('creationTimeMs'),
    })
    expect(existsSync(join(directory, 'x.mp4'))).toBe(false)
  })

  it('does not take more than memory may hold', async () => {
    const muxer = await FileMuxer.open(join(directory, 'fast.mkv'), { fsync: 'always' })
    const track = muxer.addAudioTrack(pcm)
    const data = Buffer.alloc(4 * 1024 * 1024)
    const flood = () => {
      for (let i = 0; i < 64; i++) muxer.writeAudioSample(track, data, { dts: 1000 * i })
    }
    expect(flood).toThrow(expect.objectContaining({ code: 'TD_BACKLOG' }))
    await muxer.drain()
    muxer.writeAudioSample(track, data, { dts: 1_000_000 })
    await muxer.finalize()
  })
})
