import { dirname } from 'node:path'
import { expect } from 'vitest'
import type { Inspection } from '../../src/cli/inspection.ts'
import { cli } from './cli.ts'
import { type ProbedPacket, packetsOf, probe } from './ffmpeg.ts'

/** Tolerance between what we and ffprobe say of a time, ms: both round. */
const TOLERANCE_MS = 1.5

/** What `tapedeck inspect --json` says of a file that is finalised and without a fault. */
export async function inspected(path: string): Promise<Inspection> {
  const { code, stdout, stderr } = await cli(dirname(path), ['inspect', '--json', path])
  expect(stderr).toBe('')
  const inspection: Inspection = JSON.parse(stdout)
  expect(inspection).toMatchObject({ path, finalised: true, faultCount: 0, faults: [] })
  expect(code).toBe(0)
  return inspection
}

/** Fails unless `tapedeck inspect --json` and ffprobe say the same of `path`: tracks, codecs, counts, sizes, times. */
export async function expectInspectAgrees(path: string): Promise<Inspection> {
  const [inspection, { format, streams }, packets] = await Promise.all([inspected(path), probe(path), packetsOf(path)])
  expect(inspection.sizeBytes).toBe(Number(format.size))
  expect(inspection.statedDurationMs, 'stated duration').not.toBeNull()
  const stated = Number(format.duration) * 1000
  expect(Math.abs((inspection.statedDurationMs ?? 0) - stated), 'stated duration').toBeLessThanOrEqual(TOLERANCE_MS)
  const theirs = streams.map((stream) => byProbe(stream, packets))
  const mine = inspection.tracks.map(({ kind, codec, width, height, sampleRateHz, channels, samples, ...rest }) => ({
    ...{ kind, codec, width, height, sampleRateHz, channels, samples },
    bytes: rest.bytes,
    keyframes: rest.keyframes?.count,
  }))
  expect(sorted(mine)).toEqual(sorted(theirs))
  for (const track of inspection.tracks) {
    const those = packets.filter(({ type }) => type === track.kind)
    const isOnly = inspection.tracks.filter(({ kind }) => kind === track.kind).length === 1
    if (!isOnly || track.samples === 0) continue
    const shown = those.map(({ pts }) => pts * 1000)
    expect(Math.abs(track.startMs - Math.min(...shown)), `start of ${track.kind}`).toBeLessThanOrEqual(TOLERANCE_MS)
    const lastMs = Math.max(...shown) - Math.min(...shown)
    const mean = shown.length < 2 ? 0 : lastMs / (shown.length - 1)
    expect(Math.abs(track.durationMs - lastMs - mean), `${track.kind} duration`).toBeLessThanOrEqual(TOLERANCE_MS)
  }
  return inspection
}

function byProbe(stream: Record<string, string>, packets: readonly ProbedPacket[]) {
  const mine = packets.filter((packet) => packet.stream === Number(stream.index))
  const isVideo = stream.codec_type === 'video'
  const rate = isVideo ? undefined : Number(stream.sample_rate)
  return {
    kind: stream.codec_type,
    codec: stream.codec_name,
    width: isVideo ? Number(stream.width) : undefined,
    height: isVideo ? Number(stream.height) : undefined,
    sampleRateHz: rate,
    channels: isVideo ? undefined : Number(stream.channels),
    samples: mine.length,
    bytes: mine.reduce((sum, { size }) => sum + size, 0),
    keyframes: isVideo ? mine.filter(({ key }) => key).length : undefined,
  }
}

function sorted<T extends { kind: unknown; codec: string; bytes: number }>(tracks: readonly T[]): T[] {
  return tracks.toSorted((a, b) => a.codec.localeCompare(b.codec) || a.bytes - b.bytes)
}
