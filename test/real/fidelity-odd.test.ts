import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { decodingFaults } from '../peers/decoding.ts'
import { sendTracks } from '../peers/enhanced-publisher.ts'
import { complaints, madeMedia, packetsOf, pictureWidths, publish } from '../peers/ffmpeg.ts'
import { enhancedFlvTracks } from '../peers/flv-payloads.ts'
import { expectInspectAgrees, inspected } from '../peers/inspected.ts'
import { legacyPublisher, parameterSets, sendTags } from '../peers/legacy-publisher.ts'
import { flvTags } from '../peers/paced-publisher.ts'
import { expectNothingLost, type Recorded, recorded } from '../peers/recorded.ts'
import { elementary } from '../peers/samples.ts'
import { expectSame, md5, type SentPacket, type SentTracks, tracksOf, tracksOfAll } from '../peers/sent-tracks.ts'
import { scratch, TapedeckProcess } from '../peers/tapedeck.ts'

const place = scratch('fidelity-odd')
const servers = new Map<string, TapedeckProcess>()

beforeAll(async () => {
  for (const format of ['mp4', 'flv', 'mkv']) {
    const flags = ['--record-format', format, '--record-report']
    servers.set(format, await TapedeckProcess.start(join(place.path, format), ...flags))
  }
})
afterAll(async () => {
  for (const server of servers.values()) expect(await server.end()).toBe(0)
  place.drop()
})

function serverOf(format: string): TapedeckProcess {
  const server = servers.get(format)
  if (server === undefined) throw new Error(`no server records ${format}`)
  return server
}

const PICTURE = '-f lavfi -i testsrc2=size=320x180:rate=30'
const LARGE = '-f lavfi -i testsrc2=size=640x360:rate=30'
const SOUND = '-f lavfi -i sine=frequency=440:sample_rate=48000'
const ENCODED = '-pix_fmt yuv420p -c:v libx264 -preset veryfast -bf 2 -g 30 -c:a aac -ac 2'
const media = {
  both: () => madeMedia('odd-both-48k.flv', `${PICTURE} ${SOUND} -t 4 ${ENCODED}`),
  large: () => madeMedia('odd-large-48k.flv', `${LARGE} ${SOUND} -t 4 ${ENCODED}`),
  sound: () => madeMedia('odd-sound-48k.flv', `${SOUND} -t 6 -c:a aac -ac 2`),
  picture: () => madeMedia('odd-picture-48k.flv', `${PICTURE} -t 6 ${ENCODED}`),
  late: () => madeMedia('odd-late-48k.flv', `${PICTURE} -itsoffset 2 ${SOUND} -t 6 ${ENCODED}`),
}
/** Where the second stream begins on the clock of the first: right behind it. */
const SECOND_MS = 4100

/** Matroska stores no dts: ffprobe makes them up from the pts. */
const timesOf = (format: string) => (format === 'mkv' ? (['pts'] as const) : (['pts', 'dts'] as const))

/** `packets` on a clock that began `ms` earlier. */
const later = (packets: readonly SentPacket[], ms: number): SentPacket[] =>
  packets.map(({ hash, pts, dts }) => ({ hash, pts: pts + ms / 1000, dts: dts + ms / 1000 }))

/** Two streams with a picture and a sound each, one after the other, as one. */
function joined(first: SentTracks, second: SentTracks, ms: number): SentTracks {
  return {
    video: [[...first.video[0], ...later(second.video[0], ms)]],
    audio: [[...first.audio[0], ...later(second.audio[0], ms)]],
  }
}

const probed = async (path: string) => tracksOf(await packetsOf(path))

/** One file, with all that was sent. */
async function expectOneFile(format: string, recording: Recorded, sent: SentTracks): Promise<string> {
  expectNothingLost(recording)
  expect(recording.files).toHaveLength(1)
  const [file] = recording.files
  expectSame(await probed(file), sent, timesOf(format))
  expect(await (sent.video.length > 0 ? decodingFaults(file) : complaints(file))).toBe('')
  await expectInspectAgrees(file)
  return file
}

describe.each(['mp4', 'flv', 'mkv'])('%s', (format) => {
  it.each([
    ['sound alone', 'sound'],
    ['a picture alone', 'picture'],
    ['sound that comes two seconds late', 'late'],
  ] as const)('%s', async (_, kind) => {
    const server = serverOf(format)
    const source = await media[kind]()
    expect((await publish(source, `${server.rtmp}/odd/${kind}`).ended).said).toBe('')
    const [recording] = await recorded(server, kind)
    await expectOneFile(format, recording, await probed(source))
  })

  it('sound that is sent long before a picture that begins before it', async () => {
    const server = serverOf(format)
    const source = await media.both()
    const tags = flvTags(source)
    const sound = tags.filter(({ type }) => type === 8)
    const wire = await legacyPublisher(server.rtmpPort, 'odd', 'ahead')
    await sendTags(wire, sound.slice(0, 80), 1000)
    await sendTags(
      wire,
      tags.filter(({ type }) => type === 9),
      1000,
    )
    await sendTags(wire, sound.slice(80), 1000)
    await wire.end()
    const [recording] = await recorded(server, 'ahead')
    // the first pictures are decoded closer together, none before the file begins; they are shown at their times
    expect(recording.report).toMatchObject({ skippedFrames: 0, nudgedFrames: 2, parts: [{ reason: 'start' }] })
    const [file] = recording.files
    expectSame(await probed(file), await probed(source), ['pts'])
    expect(await decodingFaults(file)).toBe('')
    await expectInspectAgrees(file)
  })

  it('timestamps that outgrow 24 bits', async () => {
    const server = serverOf(format)
    const source = await media.both()
    // 2^24 ms are 16777.2 s: ffmpeg goes over to extended timestamps in the midst of it
    const args = ['-output_ts_offset', '16775.216']
    expect((await publish(source, `${server.rtmp}/odd/extended`, { args }).ended).said).toBe('')
    const [recording] = await recorded(server, 'extended')
    await expectOneFile(format, recording, await probed(source))
  })

  it('timestamps that outgrow 32 bits', async () => {
    const server = serverOf(format)
    const source = await media.both()
    const wire = await legacyPublisher(server.rtmpPort, 'odd', 'wrap')
    await sendTags(wire, flvTags(source), 2 ** 32 - 3000)
    await sendTags(wire, flvTags(source), 2 ** 32 - 3000 + SECOND_MS)
    await wire.end()
    const [recording] = await recorded(server, 'wrap')
    const sent = await probed(source)
    await expectOneFile(format, recording, joined(sent, sent, SECOND_MS))
  })

  it('another resolution from one keyframe on', async () => {
    const server = serverOf(format)
    const [small, large] = [await media.both(), await media.large()]
    const wire = await legacyPublisher(server.rtmpPort, 'odd', 'resolution')
    await sendTags(wire, flvTags(small), 0)
    await sendTags(wire, flvTags(large), SECOND_MS)
    await wire.end()
    const [recording] = await recorded(server, 'resolution')
    const widths = await Promise.all(recording.files.map(pictureWidths))
    expect(widths.flat()).toEqual([...Array(120).fill(320), ...Array(120).fill(640)])
    const second = await probed(large)
    if (format !== 'flv') {
      // one file: its later keyframes say themselves what its first configuration does not
      const sets = parameterSets(flvTags(large))
      const keys = flvTags(large).filter(({ type, body }) => type === 9 && body[0] === 0x17 && body[1] === 1)
      const hashes = new Map(
        keys.map(({ body }) => [md5(body.subarray(5)), md5(Buffer.concat([sets, body.subarray(5)]))]),
      )
      expect(hashes.size).toBe(4)
      const video = second.video[0].map((packet) => ({ ...packet, hash: hashes.get(packet.hash) ?? packet.hash }))
      await expectOneFile(
        format,
        recording,
        joined(await probed(small), { video: [video], audio: second.audio }, SECOND_MS),
      )
    } else {
      await expectOneFile(format, recording, joined(await probed(small), second, SECOND_MS))
    }
  })

  it('HEVC after H.264 on one connection: a new part, nothing lost', async () => {
    const server = serverOf(format)
    const source = await media.both()
    const [hevc, aac] = await Promise.all([elementary('hevc'), elementary('aac')])
    const wire = await legacyPublisher(server.rtmpPort, 'odd', 'codec')
    await sendTags(wire, flvTags(source), 0)
    const tracks = [
      { kind: 'video', fourCc: 'hvc1', stream: hevc },
      { kind: 'audio', fourCc: 'mp4a', stream: aac },
    ] as const
    await sendTracks(wire, tracks, SECOND_MS)
    await wire.end()
    const [recording] = await recorded(server, 'codec')
    expectNothingLost(recording)
    expect(recording.report.parts.map(({ reason }) => reason)).toEqual(['start', 'codec-change'])
    const [first, second] = recording.files
    expectSame(await probed(first), await probed(source), timesOf(format))
    // ffmpeg 5.1 cannot read HEVC in FLV
    const mine = format === 'flv' ? enhancedFlvTracks(readFileSync(second)) : await probed(second)
    expectSame(mine, await tracksOfAll([hevc.path, aac.path]), timesOf(format))
    expect(await decodingFaults(first)).toBe('')
    await expectInspectAgrees(first)
    if (format === 'flv') {
      expect((await inspected(second)).tracks).toMatchObject([
        { codec: 'hevc', width: 320, samples: 50 },
        { codec: 'aac', sampleRateHz: 48000, samples: 95 },
      ])
    } else {
      expect(await decodingFaults(second)).toBe('')
      await expectInspectAgrees(second)
    }
  })

  it('a connection that is cut, and a publisher that comes back', async () => {
    const server = serverOf(format)
    const source = await media.both()
    const sent = await probed(source)
    for (const time of [1, 2]) {
      const wire = await legacyPublisher(server.rtmpPort, 'odd', 'again')
      await sendTags(wire, flvTags(source), 5000 * time)
      // no goodbye in RTMP
      wire.socket.end()
      const recordings = await recorded(server, 'again', time)
      await expectOneFile(format, recordings[time - 1], sent)
    }
    expect(server.files().filter((name) => name.startsWith('odd_again_'))).toHaveLength(2)
  })
})
