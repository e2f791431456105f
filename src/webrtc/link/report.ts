import { z } from 'zod'
import { MalformedError } from '../../media/errors.ts'
import { CHECKLIST } from '../../media/source-report.ts'
import type { Track } from '../../media/track.ts'

/** Longest text that is taken, characters. */
const MAX_TEXT_CHARS = 4096
/** Session descriptions, characters. */
const MAX_SDP_CHARS = 256 * 1024
/** Tracks of a session, every layer counted. */
const MAX_TRACKS = 64

const text = z.string().max(MAX_TEXT_CHARS)
const count = z.number().nonnegative()
const id = z.int().positive()
const session = z.int().nonnegative()

const trackFields = {
  id,
  epoch: z.int().nonnegative(),
  timescale: id,
  label: text.optional(),
  language: text.optional(),
  /** Base64. */
  config: z.string().max(MAX_SDP_CHARS),
}
const track = z.discriminatedUnion('kind', [
  z.object({
    ...trackFields,
    kind: z.literal('video'),
    codec: z.enum(['h264', 'hevc', 'av1', 'vp9', 'vp8']),
    width: count,
    height: count,
    frameRate: count.optional(),
  }),
  z.object({
    ...trackFields,
    kind: z.literal('audio'),
    codec: z.enum(['aac', 'opus', 'mp3', 'ac3', 'eac3', 'flac', 'pcm-s16le', 'pcm-alaw', 'pcm-mulaw']),
    sampleRateHz: id,
    channels: id,
  }),
])

const trackFigures = z.object({
  trackId: id,
  kind: z.enum(['video', 'audio']),
  codec: text,
  mid: text,
  rid: text.exactOptional(),
  frames: count,
  keyframes: count,
  bytes: count,
  droppedFrames: count,
  damagedFrames: count,
  undecodableFrames: count,
  packets: count,
  packetsLost: count,
  packetsRecovered: count,
  packetsDuplicate: count,
  packetsLate: count,
  lossRate: count,
  nacks: count,
  plis: count,
  firs: count,
  rtx: count,
  jitterMs: count,
  bitrateBps: count,
  width: count.exactOptional(),
  height: count.exactOptional(),
  resolutionChanges: count,
})

const report = z.discriminatedUnion('op', [
  /** Every so often: the process is well. */
  z.object({ op: z.literal('alive') }),
  z.object({ op: z.literal('answered'), session, answer: z.string().max(MAX_SDP_CHARS) }),
  z.object({ op: z.literal('refused'), session, code: text, message: text }),
  z.object({ op: z.literal('track'), session, ref: session, track }),
  z.object({ op: z.literal('met'), session, line: z.enum(CHECKLIST) }),
  z.object({
    op: z.literal('figures'),
    session,
    figures: z.object({
      tracks: z.array(trackFigures).max(MAX_TRACKS),
      rttMs: z.number().exactOptional(),
      avOffsetMs: z.number().exactOptional(),
      lastRtpAtMs: z.number().exactOptional(),
      remote: text.exactOptional(),
      strays: z.object({ unknownSsrc: count, notNegotiated: count, malformed: count }).exactOptional(),
    }),
  }),
  z.object({
    op: z.literal('loss'),
    session,
    loss: z.object({
      trackId: id,
      at: text,
      lengthMs: count,
      packets: count,
      damagedFrames: count,
      undecodableFrames: count,
    }),
  }),
  z.object({
    op: z.literal('end'),
    session,
    end: z.object({
      reason: z.enum(['finished', 'lost', 'failed']),
      code: text.exactOptional(),
      message: text.exactOptional(),
    }),
  }),
  z.object({ op: z.literal('closed') }),
])

/** What the media process says. */
export type Report = z.infer<typeof report>
/** A track as JSON. */
export type WrittenTrack = z.infer<typeof track>

/** @throws MalformedError */
export function parseReport(message: unknown): Report {
  const { success, data, error } = report.safeParse(message)
  if (!success) throw new MalformedError('media link', `not a report: ${z.prettifyError(error).slice(0, 200)}`)
  return data
}

/** The track that was written. */
export function readTrack(written: WrittenTrack): Track {
  const { label, language, config, ...rest } = written
  const shared = {
    config: new Uint8Array(Buffer.from(config, 'base64')),
    ...(label === undefined ? {} : { label }),
    ...(language === undefined ? {} : { language }),
  }
  if (rest.kind === 'audio') return { ...rest, ...shared }
  const { frameRate, ...video } = rest
  return { ...video, ...shared, ...(frameRate === undefined ? {} : { frameRate }) }
}
