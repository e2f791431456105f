import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { wavHeader } from '../../src/library/audio/wav-file.ts'
import { AudioRecorder } from '../../src/library/audio-recorder.ts'

const directory = mkdtempSync(join(tmpdir(), 'tapedeck-pcm-'))
afterAll(() => rmSync(directory, { recursive: true }))
const stereo = { sampleRateHz: 48_000, channels: 2 }

describe('AudioRecorder', () => {
  it('refuses what it cannot do, by name', async () => {
    await expect(AudioRecorder.open(join(directory, 'a.xyz'), stereo)).rejects.toMatchObject({ code: 'TD_UNSUPPORTED' })
    await expect(AudioRecorder.open(join(directory, 'a.wav'), { sampleRateHz: 0, channels: 9 })).rejects.toMatchObject({
      code: 'TD_OPTIONS',
      message: expect.stringMatching(/sampleRateHz.*\n.*channels/),
    })
    writeFileSync(join(directory, 'there.wav'), 'mine')
    await expect(AudioRecorder.open(join(directory, 'there.wav'), stereo)).rejects.toMatchObject({
      code: 'TD_FILE_EXISTS',
    })
  })

  it('takes whole instants only, and none after the end', async () => {
    const recorder = await AudioRecorder.open(join(directory, 'b.wav'), stereo)
    expect(() => recorder.writeSamples(new Int16Array(3))).toThrow('no whole number of 2 channels')
    recorder.writeSamples(new Int16Array(4))
    const stats = await recorder.finalize()
    expect(await recorder.finalize()).toEqual(stats)
    expect(() => recorder.writeSamples(new Int16Array(2))).toThrow('after finalize')
  })

  it('copies: the buffer may be used again at once', async () => {
    const path = join(directory, 'c.wav')
    const recorder = await AudioRecorder.open(path, stereo)
    const buffer = new Int16Array(2000).fill(7)
    recorder.writeSamples(buffer)
    buffer.fill(9)
    recorder.writeSamples(buffer)
    expect((await recorder.finalize()).sizeBytes).toBe(80 + 8000)
  })
})

describe('WAV beyond 4 GiB', () => {
  it('becomes RF64', () => {
    const header = Buffer.from(wavHeader(stereo, 5_000_000_000))
    expect(header.toString('latin1', 0, 4)).toBe('RF64')
    expect(header.toString('latin1', 12, 16)).toBe('ds64')
    expect(header.readBigUInt64LE(28)).toBe(5_000_000_000n)
    expect(header.readUInt32LE(76)).toBe(0xffffffff)
    expect(Buffer.from(wavHeader(stereo, 4_000_000_000)).toString('latin1', 0, 4)).toBe('RIFF')
  })
})
