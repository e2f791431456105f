import { cpSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ReindexReport } from '../../src/service/reindex.ts'
import type { RecordingObject } from '../../src/state/recording-object.ts'
import { cli } from '../peers/cli.ts'
import { madeMedia } from '../peers/ffmpeg.ts'
import { PacedPublisher } from '../peers/paced-publisher.ts'
import { scratch, TapedeckProcess } from '../peers/tapedeck.ts'
import { until } from '../peers/until.ts'

const place = scratch('reindex')
let server: TapedeckProcess
let requested = ''

async function list(of: TapedeckProcess): Promise<RecordingObject[]> {
  const response = await fetch(`${of.http}/api/recordings?all=true`)
  const page: { recordings: RecordingObject[] } = await response.json()
  return page.recordings
}

const statuses = async () => (await list(server)).map(({ status }) => status)

async function reindex(data: string, recordings: string, ...flags: string[]) {
  const args = ['reindex', '--data-dir', join(place.path, data), '--record-dir', recordings, ...flags]
  const { code, stdout, stderr } = await cli(place.path, args)
  expect(stderr).toBe('')
  return { code, stdout }
}

async function reindexJson(
  data: string,
  recordings: string,
  ...flags: string[]
): Promise<[number | null, ReindexReport]> {
  const { code, stdout } = await reindex(data, recordings, '--json', ...flags)
  return [code, JSON.parse(stdout)]
}

beforeAll(async () => {
  const source = await madeMedia(
    'service-kill.flv',
    '-f lavfi -i testsrc2=size=320x180:rate=30 -f lavfi -i sine=frequency=440:sample_rate=44100 -t 10 -c:v libx264 -preset veryfast -b:v 500k -g 15 -pix_fmt yuv420p -c:a aac -ac 2 -f flv',
  )
  server = await TapedeckProcess.start(join(place.path, 'first'), '--no-thumbnails')
  const publisher = await PacedPublisher.start(server.rtmpPort, 'stage', 'alice', source)
  const room = `${server.http}/api/rooms/stage/recording`
  const started: RecordingObject = await (await fetch(`${room}/start`, { method: 'POST' })).json()
  requested = started.recording_id
  await until(
    'two recordings',
    async () => (await statuses()).filter((each) => each === 'recording').length === 2 || undefined,
  )
  await until('media', () => publisher.lastVideoMs > 1500 || undefined)
  await fetch(`${room}/${requested}/stop`, { method: 'POST' })
  await publisher.finish()
  await until('the end', async () => (await statuses()).every((each) => each === 'completed') || undefined)
})
afterAll(async () => {
  await TapedeckProcess.endAll()
  place.drop()
})

describe('tapedeck reindex', () => {
  it('makes the same catalogue from manifests alone, beside a running server', async () => {
    const [code, report] = await reindexJson('anew', server.recordings)
    expect([code, report]).toMatchObject([0, { found: 2, added: 2, missing: [], missingFiles: [], faulty: [] }])
    const second = await TapedeckProcess.start(
      join(place.path, 'second'),
      ...['--data-dir', join(place.path, 'anew'), '--record-dir', server.recordings],
    )
    expect(await list(second)).toEqual(await list(server))
    await second.end()
    const { stdout } = await reindex('anew', server.recordings)
    expect(stdout).toBe('2 recordings found: 0 added, 0 updated, 2 unchanged; 0 dropped\n')
  })

  it('follows what was moved, copied, lost and damaged', async () => {
    const moved = join(place.path, 'moved')
    cpSync(server.recordings, moved, { recursive: true })
    const [directory] = readdirSync(moved, { withFileTypes: true }).flatMap((entry) =>
      entry.isDirectory() ? [entry.name] : [],
    )
    renameSync(join(moved, directory ?? ''), join(moved, 'renamed'))
    cpSync(join(moved, 'renamed'), join(moved, 'twin'), { recursive: true })
    const [file] = readdirSync(join(moved, 'twin')).filter((name) => /\.mp4$/.test(name))
    rmSync(join(moved, 'twin', file ?? ''))
    writeFileSync(join(moved, 'bad.recording.json'), '{"version":')
    const [code, report] = await reindexJson('moved-data', moved)
    expect(code).toBe(3)
    expect(report).toMatchObject({ found: 2, added: 2, missingFiles: [] })
    expect(report.copies).toEqual([
      { id: requested, path: join(moved, 'twin', 'recording.json'), instead: join(moved, 'renamed', 'recording.json') },
    ])
    expect(report.faulty.map(({ path }) => path)).toEqual([join(moved, 'bad.recording.json')])
    rmSync(join(moved, 'bad.recording.json'))
    rmSync(join(moved, 'twin'), { recursive: true })
    rmSync(join(moved, 'renamed'), { recursive: true })
    expect(await reindexJson('moved-data', moved)).toMatchObject([0, { missing: [requested], dropped: 0, found: 1 }])
    expect(await reindexJson('moved-data', moved, '--prune')).toMatchObject([0, { missing: [], dropped: 1, found: 1 }])
    const { stdout } = await reindex('moved-data', moved)
    expect(stdout).toBe('1 recording found: 0 added, 0 updated, 1 unchanged; 0 dropped\n')
  })
})
