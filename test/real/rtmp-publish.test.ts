import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { madeMedia, type ProbedPacket, packetsOf, publish } from '../peers/ffmpeg.ts'
import { Relay, type SeenFrame } from '../peers/relay.ts'

const run = promisify(execFile)
let relay: Relay

beforeAll(async () => {
  relay = await Relay.start()
})
afterAll(() => relay.close())

const VIDEO = '-f lavfi -i testsrc2=size=640x360:rate=30'
const SOUND = '-f lavfi -i sine=frequency=440:sample_rate=44100'
const H264 = '-c:v libx264 -preset veryfast -bf 2 -g 30 -pix_fmt yuv420p'

/** Every payload in order, and every time apart from the first of its track as in the source, to the millisecond. */
function expectSame(seen: readonly SeenFrame[], sent: readonly ProbedPacket[]): void {
  for (const kind of ['video', 'audio'] as const) {
    const mine = seen.filter(({ track }) => track.kind === kind)
    const theirs = sent.filter(({ type }) => type === kind)
    expect(mine.map(({ hash }) => hash)).toEqual(theirs.map(({ hash }) => hash))
    if (kind === 'video') expect(mine.map(({ key }) => key)).toEqual(theirs.map(({ key }) => key))
    for (const time of ['dts', 'pts'] as const) {
      const spacing = (i: number) => ((mine[i][time] - mine[0][time]) * 1000) / mine[i].track.timescale
      const worst = Math.max(
        ...theirs.map((packet, i) => Math.abs(spacing(i) - (packet[time] - theirs[0][time]) * 1000)),
        0,
      )
      expect(worst, `${kind} ${time}`).toBeLessThanOrEqual(1.01)
    }
  }
}

describe('ffmpeg publishes', () => {
  it.each([
    ['H.264 with B-frames and AAC', 'h264-aac.flv', `${VIDEO} ${SOUND} -t 5 ${H264} -c:a aac -ac 2`, 'h264 aac'],
    ['sound alone', 'aac.flv', `${SOUND} -t 5 -c:a aac`, 'aac'],
    ['a picture alone', 'h264.flv', `${VIDEO} -t 3 ${H264}`, 'h264'],
    ['MP3', 'mp3.flv', `${SOUND} -t 5 -c:a libmp3lame -b:a 128k`, 'mp3'],
  ])('%s, and each packet becomes a frame, at its time', async (_what, file, args, codecs) => {
    const source = await madeMedia(`rtmp-publish-${file}`, args)
    const name = file.replace('.flv', '')
    const publisher = publish(source, relay.url(name))
    const follower = await relay.follower(name)
    expect(await publisher.ended).toEqual({ status: 0, said: '' })
    expect(await follower.ended).toBe('finished')
    expect(follower.tracks.map(({ codec }) => codec).join(' ')).toBe(codecs)
    expectSame(follower.frames, await packetsOf(source))
  })
})

describe('GStreamer publishes', () => {
  it('H.264 and AAC by rtmp2sink', async () => {
    const source = await madeMedia('rtmp-publish-gst.flv', `${VIDEO} ${SOUND} -t 4 ${H264} -c:a aac -ac 2`)
    const pipeline = `filesrc location=${source} ! flvdemux name=in flvmux name=out streamable=true ! rtmp2sink location=${relay.url('gst')} in.video ! queue ! h264parse ! out. in.audio ! queue ! aacparse ! out.`
    const gst = run('gst-launch-1.0', ['-q', ...pipeline.split(' ')])
    const follower = await relay.follower('gst')
    await gst
    await follower.ended
    expect(follower.tracks).toMatchObject([
      { codec: expect.stringMatching(/h264|aac/) },
      { codec: expect.stringMatching(/h264|aac/) },
    ])
    const sent = await packetsOf(source)
    expect(follower.of('video').length).toBe(sent.filter(({ type }) => type === 'video').length)
    expect(follower.of('audio').map(({ hash }) => hash)).toEqual(
      sent.filter(({ type }) => type === 'audio').map(({ hash }) => hash),
    )
  })
})

describe('a second publisher', () => {
  it('is refused, says why, and harms the first in nothing', async () => {
    const source = await madeMedia('rtmp-publish-h264-aac.flv', `${VIDEO} ${SOUND} -t 5 ${H264} -c:a aac -ac 2`)
    const first = publish(source, relay.url('busy'), { speed: 1 })
    const follower = await relay.follower('busy')
    await follower.frameCount(30)
    const second = await publish(source, relay.url('busy'), { speed: 1 }).ended
    expect(second.status).not.toBe(0)
    expect(second.said).toContain('busy is being published already')
    expect((await first.ended).status).toBe(0)
    expectSame(follower.frames, await packetsOf(source))
  })

  it('takes over where that is allowed, and the first is disconnected', async () => {
    const open = await Relay.start({ takeover: true })
    try {
      const source = await madeMedia('rtmp-publish-h264-aac.flv', `${VIDEO} ${SOUND} -t 5 ${H264} -c:a aac -ac 2`)
      const first = publish(source, open.url('taken'), { speed: 1 })
      const follower = await open.follower('taken')
      await follower.frameCount(30)
      const second = publish(source, open.url('taken'), { speed: 1 })
      expect(await follower.ended).toBe('replaced')
      expect((await first.ended).status).not.toBe(0)
      const next = await open.follower('taken', 1)
      expect((await second.ended).status).toBe(0)
      expectSame(next.frames, await packetsOf(source))
    } finally {
      await open.close()
    }
  })

  it('ends as lost when the connection breaks', async () => {
    const source = await madeMedia('rtmp-publish-h264-aac.flv', `${VIDEO} ${SOUND} -t 5 ${H264} -c:a aac -ac 2`)
    const publisher = publish(source, relay.url('broken'), { speed: 1 })
    const follower = await relay.follower('broken')
    await follower.frameCount(30)
    publisher.end('SIGKILL')
    expect(await follower.ended).toBe('lost')
  })
})
