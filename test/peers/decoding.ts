import { ffmpeg } from './ffmpeg.ts'

/**
 * Decodes every frame of `path` and returns what ffmpeg complained about, empty when nothing. Frames go out at their own
 * times, with `args` for reading: on a grid of the frame rate, ffmpeg would complain about its own rounding of milliseconds.
 */
export function decodingFaults(path: string, args: readonly string[] = []): Promise<string> {
  return ffmpeg(...args, '-i', path, '-fps_mode', 'passthrough', '-enc_time_base', '1:1000', '-f', 'null', '-')
}
