import { TapedeckError } from '../media/errors.ts'
import type { QualitySettings } from '../state/recording-object.ts'

/** Presets of a fixed size: boxes that the picture is made to fit into, and bitrates in bits per second. */
export const PRESETS = {
  low: { resolution: '854x480', video_bitrate: 1_000_000, audio_bitrate: 96_000, fps: 24 },
  medium: { resolution: '1280x720', video_bitrate: 2_500_000, audio_bitrate: 128_000, fps: 30 },
  high: { resolution: '1920x1080', video_bitrate: 5_000_000, audio_bitrate: 192_000, fps: 30 },
  ultra: { resolution: '3840x2160', video_bitrate: 15_000_000, audio_bitrate: 256_000, fps: 60 },
} as const satisfies Readonly<Record<string, QualitySettings>>

const AS_SENT: QualitySettings = { resolution: null, video_bitrate: null, audio_bitrate: null, fps: null }
const RELATIVE = /^source\*(?<percent>\d{1,2})%$/
const BITRATE = /^(?<kbps>\d{2,6})k$/
const MIN_KBPS = 50
const MAX_KBPS = 200_000
/** Sound at less than three quarters of the source's picture, and at less than 60 %, bits per second. */
const STANDARD_AUDIO = 96_000
const LOW_AUDIO = 64_000

/** A quality that there is not. */
export class QualityError extends TapedeckError {
  readonly code = 'TD_QUALITY'
  readonly fault = 'caller'

  constructor(text: string) {
    super(
      `quality ${JSON.stringify(text.slice(0, 64))}: there is source, low, medium, high, ultra, source*75% (1 to 99), ` +
        `or a video bitrate such as 2500k (${MIN_KBPS}k to ${MAX_KBPS}k)`,
    )
  }
}

/** What a quality asks of a rendition. */
export interface QualityAim extends QualitySettings {
  /** A share of the source's video bitrate, 1 to 99; null where `video_bitrate` says it, or nothing is changed. */
  readonly source_percent: number | null
}

/** @throws QualityError */
export function qualityAim(quality: string): QualityAim {
  if (quality === 'source') return { ...AS_SENT, source_percent: null }
  if (quality === 'low' || quality === 'medium' || quality === 'high' || quality === 'ultra') {
    return { ...PRESETS[quality], source_percent: null }
  }
  const percent = Number(RELATIVE.exec(quality)?.groups?.percent)
  if (percent >= 1) {
    return { ...AS_SENT, source_percent: percent, audio_bitrate: percent <= 60 ? LOW_AUDIO : STANDARD_AUDIO }
  }
  const kbps = Number(BITRATE.exec(quality)?.groups?.kbps)
  if (kbps >= MIN_KBPS && kbps <= MAX_KBPS) return { ...AS_SENT, source_percent: null, video_bitrate: kbps * 1000 }
  throw new QualityError(quality)
}

/** What `--record-quality` names, as a quality: `high` is the source itself. */
export function automaticQuality(setting: string): string {
  if (setting === 'high') return 'source'
  if (setting === 'standard') return 'source*75%'
  if (setting === 'low') return 'source*50%'
  return setting
}
