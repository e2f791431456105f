import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { TapedeckClient } from '../../src/client/index.ts'
import { openContainer } from '../../src/container/formats.ts'
import { RecordingEngine } from '../../src/index.ts'
import { pieces, type Recorded, recordedBytes } from '../ingest/upload-rig.ts'
import { decodingFaults } from '../peers/decoding.ts'
import { scratch, TapedeckProcess } from '../peers/tapedeck.ts'
import { until } from '../peers/until.ts'

const directory = scratch('upload')
afterAll(async () => {
  await TapedeckProcess.endAll()
  directory.drop()
})

/** What is in the samples of one kind, in the order of the file; what the parameter sets are in does not matter. */
async function contents(bytes: Uint8Array, kind: 'video' | 'audio'): Promise<string[]> {
  const source = {
    sizeBytes: bytes.length,
    read: async (at: number, length: number) => bytes.subarray(at, at + length),
  }
  const sums: string[] = []
  for await (const { track, offset, size } of (await openContainer(source)).samples()) {
    if (track.kind === kind)
      sums.push(
        createHash('sha1')
          .update(bytes.subarray(offset, offset + size))
          .digest('hex'),
      )
  }
  return sums
}

it('survives kill -9 in its middle: what was acknowledged is in the files, little of it twice', async () => {
  const server = await TapedeckProcess.start(join(directory.path, 'kill'), '--record-all', '--record-min-free-mb', '0')
  const client = new TapedeckClient({ baseUrl: server.http })
  const sent: readonly Recorded[] = ['vp8.webm', 'h264.mp4']
  const chunks = new Map(sent.map((name) => [name, pieces(recordedBytes(name), 25)]))
  const send = async (seq: number) => {
    for (const [name, parts] of chunks) {
      const chunk = { session: 'a', seq, kind: 'camera', final: seq === 24 ? 'true' : 'false' } as const
      await client.uploadChunk('demo', name, chunk, Uint8Array.from(parts[seq]))
    }
  }
  for (let seq = 0; seq < 20; seq++) {
    await send(seq)
    await new Promise((resolve) => setTimeout(resolve, 110)) // as fast as it was recorded
  }
  await server.end('SIGKILL')
  await server.start()
  for (let seq = 17; seq < 25; seq++) await send(seq) // the last ones again, as if their answers had been lost
  for (const name of sent) {
    await until(
      `the end of ${name}`,
      async () => (await client.getUpload('demo', name, 'a')).state === 'ended' || undefined,
    )
  }
  await server.end()
  for (const name of sent) {
    const files = server.files().filter((file) => file.includes(name))
    const kept = { video: [] as string[], audio: [] as string[] }
    for (const file of files) {
      const path = join(server.recordings, file)
      expect(await decodingFaults(path)).toBe('')
      const bytes = readFileSync(path)
      for (const kind of ['video', 'audio'] as const) kept[kind].push(...(await contents(bytes, kind)))
    }
    for (const kind of ['video', 'audio'] as const) {
      const expected = await contents(recordedBytes(name), kind)
      const all = new Set(kept[kind])
      expect(expected.filter((sum) => !all.has(sum))).toEqual([])
      expect(kept[kind].length).toBeLessThan(2 * expected.length)
    }
  }
})

it('comes into a recording of a program by addChunk', async () => {
  const engine = await RecordingEngine.open({
    recordDir: join(directory.path, 'engine'),
    dataDir: join(directory.path, 'engine-data'),
    recordMinFreeMb: 0,
    thumbnails: false,
  })
  const { recording_id: id } = await engine.startRecording('demo', { participants: ['alice'] })
  for (const part of pieces(recordedBytes('h264.mkv'), 7)) await engine.addChunk(id, 'alice', part)
  await engine.endChunks(id, 'alice')
  await engine.stopRecording(id)
  const recording = await engine.finished(id)
  expect(recording).toMatchObject({ status: 'completed' })
  const [file] = recording.files
  expect(file.duration_ms).toBeGreaterThan(2300)
  await engine.close()
  const [name] = readdirSync(join(directory.path, 'engine'), { recursive: true })
    .map(String)
    .filter((each) => /\.(mp4|mkv)$/.test(each))
  expect(await decodingFaults(join(directory.path, 'engine', name))).toBe('')
})
