import type { ChosenFormat } from './codec-choice.ts'

/** Of Opus (RFC 7587 §6.1): what the sender offers for both directions is what it gets. */
const OPUS_KEPT = [
  'minptime',
  'maxptime',
  'ptime',
  'maxaveragebitrate',
  'maxplaybackrate',
  'cbr',
  'useinbandfec',
  'usedtx',
]
/** H.264 level 5.2 (ITU-T H.264 table A-1): 4096×2304 at 60 Hz. */
const H264_LEVEL = 0x34
/** Where Chromium begins to estimate: 300 kb/s is its own choice, far below what most lines carry. kb/s */
const START_BITRATE = { least: 300, most: 2500 }

/** The value of `a=fmtp` that answers a payload type; empty when there is nothing to say. */
export function formatParameters(format: ChosenFormat, maxBitrateBps: number | undefined): string {
  const parameters = new Map(format.codec === 'opus' ? opusParameters(format) : echoedParameters(format))
  // Only libwebrtc knows these, and goog-remb is its own; others might compare formats by their parameters.
  if (maxBitrateBps !== undefined && format.feedback.has('goog-remb')) {
    const maxKbps = Math.ceil(maxBitrateBps / 1000)
    const start = Math.max(START_BITRATE.least, Math.min(START_BITRATE.most, Math.floor(maxKbps / 2)))
    parameters.set('x-google-start-bitrate', String(start)).set('x-google-max-bitrate', String(maxKbps))
  }
  return [...parameters].map(([name, value]) => (value === '' ? name : `${name}=${value}`)).join(';')
}

function opusParameters({ parameters }: ChosenFormat): [string, string][] {
  const kept = OPUS_KEPT.flatMap((name): [string, string][] => {
    const value = parameters.get(name)
    return value === undefined ? [] : [[name, value]]
  })
  return [...kept, ['stereo', '1']]
}

function echoedParameters({ codec, parameters }: ChosenFormat): [string, string][] {
  const names = ECHOED[codec] ?? []
  return names.flatMap((name): [string, string][] => {
    const value = parameters.get(name)
    if (value === undefined) return []
    return [[name, name === 'profile-level-id' ? h264ProfileLevel(value, parameters) : value]]
  })
}

/** What must be the same on both sides, and is ours to say. */
const ECHOED: Readonly<Record<string, readonly string[]>> = {
  h264: ['level-asymmetry-allowed', 'packetization-mode', 'profile-level-id'],
  hevc: ['level-id', 'profile-id', 'tier-flag', 'tx-mode'],
  vp9: ['profile-id'],
  av1: ['level-idx', 'profile', 'tier'],
}

/** The profile as offered; the level is what this side can take, where levels may differ (RFC 6184 §8.2.2). */
function h264ProfileLevel(offered: string, parameters: ReadonlyMap<string, string>): string {
  const isFree = parameters.get('level-asymmetry-allowed') === '1'
  if (!/^[0-9a-f]{6}$/i.test(offered) || !isFree) return offered
  const level = Math.max(Number.parseInt(offered.slice(4), 16), H264_LEVEL)
  return `${offered.slice(0, 4)}${level.toString(16).padStart(2, '0')}`
}
