/** What the handler's files are made of. */
export type OutputFormat = 'mp4' | 'webm' | 'mkv' | 'flv'
/** Codecs that are encoded to. */
export type EncodedCodec = 'h264' | 'vp9' | 'vp8' | 'av1' | 'aac' | 'opus' | 'mjpeg'

/** One of ffmpeg's encoders, and how it is driven. */
export interface Encoder {
  /** As `-c` wants it. */
  readonly name: string
  readonly codec: EncodedCodec
  /** It is in a chip that may be missing, whatever `ffmpeg -encoders` says. */
  readonly isHardware: boolean
  /** The bitrate is met by looking at the whole first. */
  readonly hasTwoPasses: boolean
  /** Speed and manner, without bitrates. */
  readonly args: readonly string[]
  /** Before `-i`, and the end of the filter chain: what brings pictures into the chip. */
  readonly device: readonly string[]
  readonly upload: string | undefined
}

const software = (name: string, codec: EncodedCodec, args: readonly string[], hasTwoPasses = false): Encoder => ({
  ...{ name, codec, args, hasTwoPasses },
  ...{ isHardware: false, device: [], upload: undefined },
})
const hardware = (name: string, device: readonly string[] = [], upload?: string): Encoder => ({
  ...{ name, codec: 'h264', args: [], hasTwoPasses: false },
  ...{ isHardware: true, device, upload },
})

/** Every encoder that we know how to drive; for each codec the preferred one first. */
export const ENCODERS: readonly Encoder[] = [
  // two cores keep up with 1080p at 30 frames per second
  software('libx264', 'h264', ['-preset', 'veryfast', '-profile:v', 'high'], true),
  software('libopenh264', 'h264', ['-rc_mode', 'bitrate', '-allow_skip_frames', '0']),
  hardware('h264_nvenc'),
  hardware('h264_qsv'),
  hardware('h264_vaapi', ['-vaapi_device', '/dev/dri/renderD128'], 'format=nv12,hwupload'),
  hardware('h264_videotoolbox'),
  software('libvpx-vp9', 'vp9', ['-deadline', 'realtime', '-cpu-used', '7', '-row-mt', '1', '-tile-columns', '2']),
  software('libvpx', 'vp8', ['-deadline', 'realtime', '-cpu-used', '6']),
  software('libsvtav1', 'av1', ['-preset', '10']),
  software('libaom-av1', 'av1', ['-usage', 'realtime', '-cpu-used', '8', '-row-mt', '1']),
  software('aac', 'aac', []),
  software('libopus', 'opus', ['-vbr', 'constrained']),
  software('mjpeg', 'mjpeg', []),
]

/** What each container is filled with when something has to be encoded; the first that can be had. */
const ENCODED: Readonly<Record<OutputFormat, Readonly<Record<'video' | 'audio', readonly EncodedCodec[]>>>> = {
  mp4: { video: ['h264'], audio: ['aac'] },
  mkv: { video: ['h264'], audio: ['aac'] },
  flv: { video: ['h264'], audio: ['aac'] },
  webm: { video: ['vp9', 'vp8', 'av1'], audio: ['opus'] },
}

const ANY_VIDEO = ['h264', 'hevc', 'av1', 'vp9', 'vp8']
const ANY_AUDIO = ['aac', 'opus', 'mp3', 'ac3', 'eac3', 'flac']
/** What ffmpeg's muxers take as it is. FLV: what every version of it writes; VP8 in MP4 it does not know. */
const HELD: Readonly<Record<OutputFormat, ReadonlySet<string>>> = {
  mp4: new Set([...ANY_VIDEO.filter((codec) => codec !== 'vp8'), ...ANY_AUDIO]),
  mkv: new Set([...ANY_VIDEO, ...ANY_AUDIO, 'vorbis', 'pcm_s16le', 'pcm_alaw', 'pcm_mulaw']),
  webm: new Set(['vp8', 'vp9', 'av1', 'opus', 'vorbis']),
  flv: new Set(['h264', 'aac', 'mp3']),
}

/** Whether a remux to `format` leaves `codec` (ffprobe's name) as it is. */
export function holds(format: OutputFormat, codec: string): boolean {
  return HELD[format].has(codec)
}

/** Whether a rendition in `format` may leave `codec` as it is: only what it would itself be encoded to. */
export function isUsual(format: OutputFormat, kind: 'video' | 'audio', codec: string): boolean {
  return ENCODED[format][kind].some((usual) => usual === codec)
}

/** The encoder for a `kind` of stream in `format`, of those that work; hardware last, or first where it is preferred. */
export function chooseEncoder(
  format: OutputFormat,
  kind: 'video' | 'audio',
  having: { encoders: readonly string[]; prefersHardware: boolean },
): Encoder | undefined {
  const working = ENCODERS.filter(({ name }) => having.encoders.includes(name))
  for (const codec of ENCODED[format][kind]) {
    const able = working.filter((encoder) => encoder.codec === codec)
    const chosen = able.find(({ isHardware }) => isHardware === having.prefersHardware) ?? able[0]
    if (chosen !== undefined) return chosen
  }
  return undefined
}
