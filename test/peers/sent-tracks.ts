import { createHash } from 'node:crypto'
import { expect } from 'vitest'
import { type ProbedPacket, packetsOf } from './ffmpeg.ts'

/** Tolerance of a time against the source's own spacing, seconds: RTMP counts in whole milliseconds. */
const TOLERANCE_SECONDS = 0.00101

/** One packet as it was sent, or as it is found in a file. Times in seconds; `hash` as ffprobe writes it. */
export interface SentPacket {
  readonly hash: string
  readonly pts: number
  readonly dts: number
}

/** The packets of each track, tracks in their order. */
export interface SentTracks {
  readonly video: readonly (readonly SentPacket[])[]
  readonly audio: readonly (readonly SentPacket[])[]
}

/** As ffprobe writes it. */
export const md5 = (data: Uint8Array) => `MD5:${createHash('md5').update(data).digest('hex')}`

/** The tracks of a file. */
export function tracksOf(packets: readonly ProbedPacket[]): SentTracks {
  const streams = [...new Set(packets.map(({ stream }) => stream))].sort((a, b) => a - b)
  const tracks = streams.map((stream) => packets.filter((packet) => packet.stream === stream))
  return {
    video: tracks.filter(([first]) => first.type === 'video'),
    audio: tracks.filter(([first]) => first.type === 'audio'),
  }
}

/** The tracks of several files with one track each, as one stream. */
export async function tracksOfAll(paths: readonly string[]): Promise<SentTracks> {
  const files = await Promise.all(paths.map(packetsOf))
  return tracksOf(files.flatMap((packets, stream) => packets.map((packet) => ({ ...packet, stream }))))
}

/**
 * Every payload in order, every time within a millisecond of the source's spacing, and the tracks apart as they were.
 * `times`: Matroska stores no dts.
 */
export function expectSame(
  recorded: SentTracks,
  sent: SentTracks,
  times: readonly ('pts' | 'dts')[] = ['pts', 'dts'],
): void {
  const apart: number[] = []
  for (const type of ['video', 'audio'] as const) {
    expect(recorded[type].length, `${type} tracks`).toBe(sent[type].length)
    sent[type].forEach((theirs, track) => {
      const mine = recorded[type][track]
      const name = `${type} track ${track}`
      expect(mine.length, `${name}: packets`).toBe(theirs.length)
      expect(mine.map(({ hash }) => hash)).toEqual(theirs.map(({ hash }) => hash))
      for (const time of times) {
        const worst = mine.reduce((most, packet, i) => {
          return Math.max(most, Math.abs(packet[time] - mine[0][time] - (theirs[i][time] - theirs[0][time])))
        }, 0)
        expect(worst, `${name}: ${time} spacing`).toBeLessThanOrEqual(TOLERANCE_SECONDS)
      }
      apart.push(mine[0].pts - theirs[0].pts)
    })
  }
  for (const offset of apart) {
    expect(Math.abs(offset - apart[0]), 'offset between the tracks').toBeLessThanOrEqual(TOLERANCE_SECONDS)
  }
}
