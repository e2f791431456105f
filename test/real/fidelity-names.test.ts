import { readdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { madeMedia, packetsOf } from '../peers/ffmpeg.ts'
import { legacyPublisher, sendTags } from '../peers/legacy-publisher.ts'
import { flvTags } from '../peers/paced-publisher.ts'
import { expectNothingLost, recorded } from '../peers/recorded.ts'
import { expectSame, tracksOf } from '../peers/sent-tracks.ts'
import { scratch, TapedeckProcess } from '../peers/tapedeck.ts'

const place = scratch('fidelity-names')
let server: TapedeckProcess
let source: string
let before: string[]

beforeAll(async () => {
  source = await madeMedia(
    'names-2s.flv',
    '-f lavfi -i testsrc2=size=160x90:rate=25 -t 2 -pix_fmt yuv420p -c:v libx264 -preset veryfast -bf 2 -g 25',
  )
  server = await TapedeckProcess.start(join(place.path, 'deep', 'server'), '--record-report')
  before = everything()
})
afterAll(async () => {
  expect(await server.end()).toBe(0)
  place.drop()
})

/** All paths around the server, but those of its recordings and its state. */
function everything(): string[] {
  return readdirSync(place.path, { recursive: true, encoding: 'utf8' })
    .filter((path) => !/^deep\/server\/(recordings|data)\//.test(path))
    .filter((path) => path !== 'deep/server/recordings')
    .sort()
}

describe('names that publishers choose', () => {
  it.each([
    ['steps up', 'live', '../../escaped'],
    ['nothing but dots', 'live', '..'],
    ['steps up after a while', 'live', 'a/../../../b'],
    ['an absolute path', 'live', '//etc/cron.d/tapedeck'],
    ['steps up with a look-alike', 'live', '．．／．．∕up'],
    ['a room that steps up', '../../up', 'camera'],
    ['backslashes', 'live', '..\\..\\windows'],
    ['a device of Windows', 'live', 'CON'],
    ['a hidden file', 'live', '.bashrc'],
    ['scripts of many peoples', '会議室', 'Zoë → Ωμέγα, שלום 🎥'],
    ['a reversed ending', 'live', 'invoice\u202e4pm.exe'],
    ['what a shell would run', 'live', '$(touch owned);`touch owned`|"\' & -rf'],
    ['as long as may be', 'live', 'n'.repeat(255)],
  ])('%s: a file in its place, with all that was sent', async (_, room, name) => {
    const wire = await legacyPublisher(server.rtmpPort, room, name)
    await sendTags(wire, flvTags(source), 0)
    await wire.end()
    const [recording] = await recorded(server, name)
    expectNothingLost(recording)
    expect(recording.report).toMatchObject({ room, participant: name })
    expect(recording.files).toHaveLength(1)
    const [file] = recording.files
    expect(dirname(file)).toBe(server.recordings)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(file).toMatch(/\/[^/\p{Cc}\p{Cf}]+_\d{8}_\d{6}\.\d{3}\.mp4$/u)
    expectSame(tracksOf(await packetsOf(file)), tracksOf(await packetsOf(source)))
    expect(everything()).toEqual(before)
  })

  it.each([
    ['a line break', 'live', 'a\nb'],
    ['a zero', 'live', 'a\0b'],
    ['an escape sequence', 'live', '\u001b[2Jcam'],
    ['4 KB', 'live', 'n'.repeat(4096)],
    ['nothing', 'live', ''],
    ['a room of 4 KB', 'r'.repeat(4096), 'camera'],
    ['a room with a line break', 'a\nb', 'camera'],
  ])('%s: refused, and the server goes on', async (_, room, name) => {
    const files = server.files()
    const refused = legacyPublisher(server.rtmpPort, room, name)
    await expect(refused).rejects.toThrow(/NetStream\.Publish\.BadName/)
    expect(await server.metric('tapedeck_streams')).toBe(0)
    expect(server.files()).toEqual(files)
    expect(everything()).toEqual(before)
  })
})
