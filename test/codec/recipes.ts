import type { AudioCodec, VideoCodec } from '../../src/media/track.ts'

/** How ffmpeg makes one small real stream. */
export interface Recipe {
  readonly name: string
  readonly codec: VideoCodec | AudioCodec
  readonly args: string
  /** What ffprobe reads the packets and the configuration from. */
  readonly container: 'mp4' | 'mkv'
}

const picture = (size: string, rate: string) =>
  `-f lavfi -i color=c=teal:size=${size}:rate=${rate} -frames:v 6 -pix_fmt yuv420p`
const sound = (rateHz: number, channels: number) =>
  `-f lavfi -i sine=sample_rate=${rateHz} -t 0.3 -ac ${channels} -b:a 32k`

/** Real encoders in sizes, rates and depths that catch wrong cropping, wrong units and wrong bits. */
export const RECIPES: readonly Recipe[] = [
  video('h264-480p', 'h264', `${picture('854x480', '30000/1001')} -c:v libx264 -g 3 -bf 0`),
  video('h264-odd', 'h264', `${picture('1918x1078', '25')} -c:v libx264 -profile:v main -g 3`),
  video('h264-interlaced', 'h264', `${picture('1920x1080', '25')} -c:v libx264 -flags +ilme+ildct -x264-params tff=1`),
  video('h264-422-10', 'h264', `${picture('322x182', '50')} -pix_fmt yuv422p10le -c:v libx264`),
  video('h264-444', 'h264', `${picture('321x181', '60')} -pix_fmt yuv444p -c:v libx264`),
  video(
    'h264-open-gop',
    'h264',
    `${picture('320x180', '24')} -c:v libx264 -g 3 -bf 1 -x264-params open-gop=1:b-adapt=0`,
  ),
  video(
    'h264-scaling',
    'h264',
    `${picture('320x240', '24')} -c:v libx264 -x264-params cqm=jvt:nal-hrd=cbr:vbv-maxrate=100:vbv-bufsize=100:bitrate=100`,
  ),
  video('hevc-480p', 'hevc', `${picture('854x480', '30000/1001')} -c:v libx265 -x265-params log-level=none:keyint=3`),
  video('hevc-odd', 'hevc', `${picture('1918x1078', '25')} -c:v libx265 -x265-params log-level=none:bframes=2`),
  video(
    'hevc-10bit',
    'hevc',
    `${picture('640x360', '50')} -pix_fmt yuv420p10le -c:v libx265 -x265-params log-level=none:scaling-list=default`,
  ),
  video(
    'hevc-444',
    'hevc',
    `${picture('322x182', '60')} -pix_fmt yuv444p -c:v libx265 -x265-params log-level=none:hrd=1:vbv-maxrate=100:vbv-bufsize=100`,
  ),
  video('av1-aom', 'av1', `${picture('854x480', '30000/1001')} -c:v libaom-av1 -cpu-used 8 -g 3 -lag-in-frames 0`),
  video('av1-svt', 'av1', `${picture('1918x1078', '25')} -c:v libsvtav1 -preset 12`),
  video('av1-10bit', 'av1', `${picture('322x182', '50')} -pix_fmt yuv420p10le -c:v libaom-av1 -cpu-used 8`),
  video('av1-444', 'av1', `${picture('320x180', '50')} -pix_fmt yuv444p -c:v libaom-av1 -cpu-used 8`),
  video('vp9', 'vp9', `${picture('854x480', '30')} -c:v libvpx-vp9 -deadline realtime -g 3`),
  video('vp9-odd', 'vp9', `${picture('1917x1077', '30')} -c:v libvpx-vp9`),
  video('vp9-422-10', 'vp9', `${picture('322x182', '30')} -pix_fmt yuv422p10le -c:v libvpx-vp9 -deadline realtime`),
  { ...video('vp8', 'vp8', `${picture('854x478', '30')} -c:v libvpx -deadline realtime -g 3`), container: 'mkv' },
  audio('aac-stereo', 'aac', `${sound(44_100, 2)} -c:a aac`),
  audio('aac-51', 'aac', `${sound(48_000, 6)} -c:a aac`),
  audio('aac-mono-low', 'aac', `${sound(16_000, 1)} -c:a aac`),
  audio('opus-stereo', 'opus', `${sound(48_000, 2)} -c:a libopus`),
  audio('opus-51', 'opus', `${sound(48_000, 6)} -c:a libopus -mapping_family 1`),
  audio('opus-60ms', 'opus', `${sound(48_000, 1)} -c:a libopus -frame_duration 60`),
  audio('mp3-stereo', 'mp3', `${sound(44_100, 2)} -c:a libmp3lame`),
  audio('mp3-low', 'mp3', `${sound(22_050, 1)} -c:a libmp3lame`),
  audio('ac3-51', 'ac3', `${sound(48_000, 6)} -c:a ac3 -b:a 224k`),
  audio('ac3-441', 'ac3', `${sound(44_100, 2)} -c:a ac3 -b:a 96k`),
  audio('eac3-stereo', 'eac3', `${sound(48_000, 2)} -c:a eac3 -b:a 64k`),
  audio('eac3-51', 'eac3', `${sound(44_100, 6)} -c:a eac3 -b:a 192k`),
  audio('flac', 'flac', `${sound(48_000, 2)} -c:a flac -strict -2 -frame_size 1024`),
  audio('flac-odd', 'flac', `${sound(44_100, 1)} -c:a flac -strict -2 -frame_size 777`),
]

function video(name: string, codec: VideoCodec, args: string): Recipe {
  return { name, codec, args, container: 'mp4' }
}

function audio(name: string, codec: AudioCodec, args: string): Recipe {
  return { name, codec, args, container: 'mp4' }
}
