import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Track } from '../../src/media/track.ts'
import type { RecordingReport } from '../../src/recorder/report.ts'
import { aac, h264, h264Smaller, Rig, Source, serials, vp8, write } from './rig.ts'

type Deed =
  | { kind: 'play'; ms: number }
  | { kind: 'jump'; byMs: number }
  | { kind: 'jump-video'; byMs: number }
  | { kind: 'pause'; ms: number }
  | { kind: 'sound-only'; ms: number }
  | { kind: 'picture-only'; ms: number }
  | { kind: 'change'; to: number }
  | { kind: 'breathe' }

const span = fc.integer({ min: 100, max: 4000 })
const jump = fc.oneof(fc.integer({ min: -5000, max: 20_000 }), fc.integer({ min: -(2 ** 32), max: 2 ** 32 }))
const deed: fc.Arbitrary<Deed> = fc.oneof(
  fc.record({ kind: fc.constant('play' as const), ms: span }),
  fc.record({ kind: fc.constant('jump' as const), byMs: jump }),
  fc.record({ kind: fc.constant('jump-video' as const), byMs: jump }),
  fc.record({ kind: fc.constant('pause' as const), ms: span }),
  fc.record({ kind: fc.constant('sound-only' as const), ms: span }),
  fc.record({ kind: fc.constant('picture-only' as const), ms: span }),
  fc.record({ kind: fc.constant('change' as const), to: fc.nat(2) }),
  fc.constant({ kind: 'breathe' as const }),
)

/** Publishes what `deeds` say; returns the report, and the serials that fell into pauses. */
async function perform(
  rig: Rig,
  source: Source,
  deeds: readonly Deed[],
): Promise<{ paused: Set<number>; report: RecordingReport }> {
  const stream = rig.publish()
  const [recording] = rig.recorder.recordings
  const paused = new Set<number>()
  const epochs: Track[] = [h264, h264Smaller, vp8]
  let video: Track = h264
  let epoch = 0
  let atMs = 2 ** 33
  let videoShiftMs = 0
  let isNew = true
  const play = (ms: number, kinds: readonly string[]): void => {
    for (const endMs = atMs + ms; atMs < endMs; atMs += 20) {
      if (kinds.includes('video') && Math.floor(atMs / 20) % 2 === 0) {
        write(stream, [source.frame(video, atMs + videoShiftMs, { key: isNew || Math.floor(atMs / 20) % 26 === 0 })])
        isNew = false
      }
      if (kinds.includes('audio')) write(stream, [source.frame(aac, atMs + 3)])
    }
  }
  for (const each of deeds) {
    switch (each.kind) {
      case 'play':
        play(each.ms, ['video', 'audio'])
        break
      case 'sound-only':
        play(each.ms, ['audio'])
        break
      case 'picture-only':
        play(each.ms, ['video'])
        break
      case 'jump':
        atMs += Math.round(each.byMs / 20) * 20
        break
      case 'jump-video':
        videoShiftMs += Math.round(each.byMs / 40) * 40
        break
      case 'pause': {
        if (recording.state !== 'recording') break
        recording.pause()
        const from = source.count
        play(each.ms, ['video', 'audio'])
        for (let i = from; i < source.count; i++) paused.add(i)
        recording.resume()
        break
      }
      case 'change':
        video = { ...epochs[each.to], epoch: ++epoch }
        isNew = true
        break
      case 'breathe':
        await new Promise((resolve) => setImmediate(resolve))
        break
      default:
        each satisfies never
    }
  }
  await rig.finish(stream)
  return { paused, report: recording.report() }
}

describe.each(['mp4', 'flv', 'mkv'] as const)('whatever a stream does, recorded in %s', (format) => {
  it('every frame is written once or counted, and every part is in order and begins with a keyframe', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(deed, { minLength: 1, maxLength: 12 }),
        fc.constantFrom<object>({}, { maxDurationMs: 1500 }, { maxSizeMb: 0.08 }, { splitOnCodecChange: true }),
        async (deeds, config) => {
          const rig = await Rig.start({ format, ...config })
          const source = new Source(200)
          const { paused, report } = await perform(rig, source, deeds)
          await rig.recorder.stop({ deadlineMs: 1000 })
          const files = await rig.storage.list('/rec', 1000)
          const contents = await Promise.all(files.map(({ path }) => rig.read(path)))
          const written = serials(...contents)
          expect(new Set(written).size).toBe(written.length)
          expect(written.some((serial) => paused.has(serial))).toBe(false)
          expect(report.frames).toBe(written.length)
          expect(written.length + report.skippedFrames + paused.size).toBe(source.count)
          expect(report.droppedFrames).toBe(0)
          for (const { samples, finalised, faults } of contents) {
            // FLV cannot say of a file how long it lasts where all frames are at 0
            if (samples.some(({ ptsMs }) => ptsMs > 0)) expect(finalised).toBe(true)
            expect(faults).toEqual([])
            for (const kind of ['video', 'audio']) {
              const own = samples.filter((sample) => sample.kind === kind)
              expect(own.every((sample, i) => i === 0 || sample.ptsMs > own[i - 1].ptsMs)).toBe(true)
              expect(own[0]?.key ?? true).toBe(true)
              expect(own[0]?.ptsMs ?? 0).toBeGreaterThanOrEqual(0)
            }
          }
          expect(rig.errors().filter(({ fields }) => fields.code !== 'TD_NOTHING_RECORDED')).toEqual([])
        },
      ),
      { numRuns: 100, seed: 20261121 },
    )
  })
})
