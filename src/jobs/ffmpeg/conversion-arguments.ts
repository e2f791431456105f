import type { OutputFormat } from './encoders.ts'
import type { FfmpegFacts } from './facts.ts'
import type { Encoding, StreamPlan } from './stream-plan.ts'

/** One run of ffmpeg. `analysis` and `final` are the two passes of encoders that look at everything first. */
export interface Pass {
  readonly kind: 'only' | 'analysis' | 'final'
  /** What the names of the files begin with that one pass leaves for the other. */
  readonly log: string
  readonly output: string
}

/** What ffmpeg calls the containers. */
const MUXERS: Readonly<Record<OutputFormat, string>> = { mp4: 'mp4', mkv: 'matroska', webm: 'webm', flv: 'flv' }
/** A keyframe at least so often, seconds. */
const GOP_SECONDS = 2
/** The clock of encoded video: holds the times of 24 to 60 frames per second, and of RTP, exactly, Hz. */
const CLOCK_HZ = 90_000
const LAYOUTS = 'mono|stereo|3.0|quad|5.0|5.1|6.1|7.1' // RFC 7845 §5.1.1.2

/** The command line that makes `plans` of `input`. Times are the source's own: nothing is moved to zero. */
export function conversionArguments(
  input: string,
  format: OutputFormat,
  plans: readonly StreamPlan[],
  pass: Pass,
  facts: FfmpegFacts,
): string[] {
  const isAnalysis = pass.kind === 'analysis'
  const wanted = isAnalysis ? plans.filter(({ encoding }) => encoding?.encoder.hasTwoPasses) : plans
  const device = wanted.find(({ encoding }) => encoding !== undefined && encoding.encoder.device.length > 0)
  return [
    ...['-hide_banner', '-nostdin', '-v', 'error', '-progress', 'pipe:1', '-stats_period', '0.5'],
    ...(device?.encoding?.encoder.device ?? []),
    ...['-i', `file:${input}`, '-copyts', '-map_metadata', '0', '-max_muxing_queue_size', '4096'],
    ...wanted.flatMap((plan, index) => streamArguments(plan, index, pass, facts)),
    ...(isAnalysis ? ['-f', 'null', '-'] : [...muxing(format), '-y', `file:${pass.output}`]),
  ]
}

function muxing(format: OutputFormat): string[] {
  // -strict: FLAC in MP4 is experimental in older versions. Delay of the muxer would move the first packet.
  const usual = ['-muxdelay', '0', '-muxpreload', '0', '-strict', '-2', '-f', MUXERS[format]]
  return format === 'mp4' ? [...usual, '-movflags', '+faststart', '-video_track_timescale', String(CLOCK_HZ)] : usual
}

function streamArguments({ source, encoding }: StreamPlan, index: number, pass: Pass, facts: FfmpegFacts): string[] {
  const map = ['-map', `0:${source.index}`]
  if (encoding === undefined) return [...map, `-c:${index}`, 'copy']
  const { encoder, bitrate } = encoding
  const common = [...map, `-c:${index}`, encoder.name, ...encoder.args.map((word) => perStream(word, index))]
  const rate = [`-b:${index}`, String(bitrate)]
  if (source.kind === 'audio') {
    const layouts = encoder.codec === 'opus' ? [`-filter:${index}`, `aformat=channel_layouts=${LAYOUTS}`] : []
    return [...common, ...rate, ...layouts]
  }
  const fps = encoding.maxFps ?? source.packetsPerSecond
  const passes =
    pass.kind === 'only' || !encoder.hasTwoPasses ? [] : [`-pass:${index}`, pass.kind === 'analysis' ? '1' : '2']
  return [
    ...[...common, ...rate, ...rateBounds(encoding, index), ...passes],
    ...(passes.length > 0 ? [`-passlogfile:${index}`, pass.log] : []),
    ...[`-filter:${index}`, filters({ source, encoding }, encoding)],
    ...(encoder.upload === undefined ? [`-pix_fmt:${index}`, 'yuv420p'] : []),
    ...[`-g:${index}`, String(Math.max(1, Math.round(fps * GOP_SECONDS))), ...colors(source.color, index)],
    ...[...timing(facts, index), `-enc_time_base:${index}`, `1:${CLOCK_HZ}`],
  ]
}

/** Each frame at its own time. Older versions are told for all streams at once. */
function timing({ timingOption }: FfmpegFacts, index: number): string[] {
  return [timingOption === '-vsync' ? timingOption : `${timingOption}:${index}`, 'passthrough']
}

/** Options get the stream that they are for; values stay. */
function perStream(word: string, index: number): string {
  return /^-[a-z]/.test(word) ? `${word.replace(/:v$/, '')}:${index}` : word
}

/** How far the bitrate may swing: one that is met in one pass has to be held to it closely. */
function rateBounds({ encoder, bitrate }: Encoding, index: number): string[] {
  const bounds = (max: number, buffer: number) => [
    ...[`-maxrate:${index}`, String(Math.round(bitrate * max))],
    ...[`-bufsize:${index}`, String(Math.round(bitrate * buffer))],
  ]
  if (encoder.hasTwoPasses) return bounds(2, 4)
  if (encoder.codec === 'vp8' || encoder.codec === 'vp9') return [`-minrate:${index}`, String(bitrate), ...bounds(1, 1)]
  return encoder.codec === 'av1' ? [] : bounds(1.1, 2)
}

function filters({ source }: StreamPlan, { size, maxFps, encoder }: Encoding): string {
  const chain: string[] = []
  if (maxFps !== undefined) chain.push(...capped(maxFps, source))
  if (size !== undefined) {
    chain.push(`scale=${size.width}:${size.height}:flags=bicubic`)
    if (source.pixelAspect === 1) chain.push('setsar=1') // a rounded side is no reason for odd pixels
  }
  if (encoder.upload !== undefined) chain.push(encoder.upload)
  return chain.length === 0 ? 'null' : chain.join(',')
}

/**
 * At most `fps`: where the source is steady on a grid that begins with its first frame, else the first frame of each slot at
 * its own time. None is made up; the last one counts even where nothing says how long it lasts.
 */
function capped(fps: number, { isSteady, startSeconds }: StreamPlan['source']): string[] {
  if (!isSteady)
    return [`select='isnan(prev_selected_t)+gt(floor(t*${fps}+0.001),floor(prev_selected_t*${fps}+0.001))'`]
  const start = `${startSeconds.toFixed(6)}/TB`
  return [`setpts=PTS-${start}`, `fps=${fps}:eof_action=pass`, `settb=1/${CLOCK_HZ}`, `setpts=PTS+${start}`]
}

function colors(color: StreamPlan['source']['color'], index: number): string[] {
  return [
    ...(color.primaries === undefined ? [] : [`-color_primaries:${index}`, color.primaries]),
    ...(color.transfer === undefined ? [] : [`-color_trc:${index}`, color.transfer]),
    ...(color.space === undefined ? [] : [`-colorspace:${index}`, color.space]),
  ]
}
