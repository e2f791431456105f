import { describe, expect, it } from 'vitest'
import type { PublisherInfo } from '../../src/live/stream.ts'
import { Frame } from '../../src/media/frame.ts'
import type { SourceTrackFigures } from '../../src/media/source-report.ts'
import type { AudioTrack } from '../../src/media/track.ts'
import { aac, h264, Rig, write } from './rig.ts'

const ADDRESS = { room: 'live', participant: 'test' }
/** RFC 7845 §5.1, stereo, no pre-skip. */
const OPUS_HEAD = Uint8Array.of(0x4f, 0x70, 0x75, 0x73, 0x48, 0x65, 0x61, 0x64, 1, 2, 0, 0, 0x80, 0xbb, 0, 0, 0, 0, 0)
const opus: AudioTrack = { ...aac, codec: 'opus', config: OPUS_HEAD }

function* sound(fromMs: number, toMs: number, track = opus): Generator<Frame> {
  for (let ms = fromMs; ms < toMs; ms += 20) yield new Frame(track, ms, ms, true, Uint8Array.of(0xfc, 1, 2, 3, ms / 20))
}

function* pictures(fromMs: number, toMs: number): Generator<Frame> {
  for (let ms = fromMs; ms < toMs; ms += 40) {
    const key = ms === fromMs
    yield new Frame(h264, ms, ms, key, Uint8Array.of(0, 0, 0, 2, key ? 0x65 : 0x61, 1))
  }
}

const NO_FIGURES: SourceTrackFigures = {
  ...{ trackId: 1, kind: 'video', codec: 'h264', mid: '0', frames: 0, keyframes: 0, bytes: 0, droppedFrames: 0 },
  ...{ damagedFrames: 0, undecodableFrames: 0, packets: 0, packetsLost: 0, packetsRecovered: 0, packetsDuplicate: 0 },
  ...{ packetsLate: 0, lossRate: 0, nacks: 0, plis: 0, firs: 0, rtx: 0, jitterMs: 0, bitrateBps: 0 },
  resolutionChanges: 0,
}
const MET = '2026-11-21T14:00:00.000Z'
const CHECKLIST = {
  ...{ connected: MET, tracks_published: MET, subscribed: MET, first_rtp: MET },
  ...{ first_keyframe: MET, frames_flowing: MET, feedback_seen: null },
}

/** A WebRTC session whose offer has a place for pictures, of which `packets` have come. */
function session(packets: number): PublisherInfo {
  const tracks = [{ ...NO_FIGURES, packets }]
  return {
    source: 'whip',
    report: () => ({ state: 'recording', checklist: CHECKLIST, tracks, losses: [], lossCount: 0 }),
  }
}

async function filesOf(
  options: Parameters<Rig['recorder']['record']>[1],
  publisher: PublisherInfo,
  ...frames: Frame[]
) {
  const rig = await Rig.start({ recordAll: false, format: 'auto' })
  const recording = rig.recorder.record(ADDRESS, options)
  const stream = rig.hub.publish(ADDRESS, publisher)
  write(stream, frames)
  await rig.finish(stream)
  const contents = await Promise.all(recording.parts.map(({ path }) => rig.read(path)))
  return recording.parts.map(({ path }, i) => ({
    ending: path.slice(path.lastIndexOf('.')),
    codecs: contents[i].tracks.map(({ codec }) => codec),
    samples: contents[i].samples.length,
    finalised: contents[i].finalised,
  }))
}

describe('sound alone', () => {
  it.each([
    [{}, '.weba'],
    [{ format: 'mkv' }, '.mkv'],
    [{ format: 'mkv', audioFormat: 'weba' }, '.weba'],
    [{ audioFormat: 'ogg' }, '.ogg'],
    [{ audioFormat: 'mp4' }, '.mp4'],
  ] as const)('asked for as %j is kept in %s', async (options, ending) => {
    const files = await filesOf(options, { source: 'rtmp' }, ...sound(0, 2000))
    expect(files).toEqual([{ ending, codecs: ['opus'], samples: 100, finalised: true }])
  })

  it('of a session that has a place for pictures stays in one file with them', async () => {
    const joined = await filesOf({ format: 'mkv' }, session(0), ...sound(0, 1000), ...pictures(1000, 2000))
    expect(joined.map(({ codecs }) => codecs)).toEqual([['opus', 'h264']])
    expect(await filesOf({}, session(0), ...sound(0, 1000))).toMatchObject([{ ending: '.webm' }])
  })

  it('in a format of its own begins one, unless pictures are on their way', async () => {
    const alone = await filesOf({ audioFormat: 'ogg' }, session(0), ...sound(0, 1000))
    expect(alone).toMatchObject([{ ending: '.ogg' }])
    expect(await filesOf({ audioFormat: 'ogg' }, session(9), ...sound(0, 1000))).toMatchObject([{ ending: '.webm' }])
  })

  it('goes on in another file once pictures come where there were to be none', async () => {
    const frames = [...sound(0, 1000), ...pictures(1000, 2000), ...sound(1000, 2000)].toSorted((a, b) => a.dts - b.dts)
    const files = await filesOf({}, { source: 'rtmp' }, ...frames)
    expect(files).toEqual([
      { ending: '.weba', codecs: ['opus'], samples: 50, finalised: true },
      { ending: '.mp4', codecs: ['opus', 'h264'], samples: 75, finalised: true },
    ])
  })
})
