import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, renameSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Where benchmarks keep what they make: media, the load generator, recordings. */
export const workspace = join(tmpdir(), 'tapedeck-bench')

/** 30 s of 720p30 H.264 (B-frames, keyframe every 2 s) with AAC stereo, together about 2.66 Mbit/s, as FLV. */
export function publisherMedia(): string {
  return made(
    '720p.flv',
    `-f lavfi -i testsrc2=size=1280x720:rate=30 -f lavfi -i sine=frequency=440:sample_rate=44100 -t 30
    -vf noise=alls=18:allf=t -c:v libx264 -preset veryfast -bf 2 -g 60 -b:v 2500k -minrate 2500k -maxrate 2500k -bufsize 2500k -pix_fmt yuv420p
    -c:a aac -b:a 128k -ac 2`,
  )
}

/** 10 s of 360p30 H.264 (B-frames, closed GOPs of 2 s) with AAC stereo, about 0.9 Mbit/s: twelve hours are 4.9 GB. */
export function longMedia(): string {
  return made(
    '360p-closed.flv',
    `-f lavfi -i testsrc2=size=640x360:rate=30 -f lavfi -i sine=frequency=440:sample_rate=44100 -t 10
    -vf noise=alls=12:allf=t -c:v libx264 -preset veryfast -bf 2 -g 60 -flags +cgop -b:v 800k -minrate 800k -maxrate 800k -bufsize 800k
    -pix_fmt yuv420p -c:a aac -b:a 96k -ac 2`,
  )
}

/** A file in the workspace, made by ffmpeg where it is not there yet. */
export function made(name: string, args: string, format = 'flv'): string {
  const path = join(workspace, name)
  if (existsSync(path)) return path
  mkdirSync(workspace, { recursive: true })
  const draft = `${path}.draft`
  const all = ['-v', 'error', '-y', ...args.trim().split(/\s+/), '-f', format, draft]
  const { status, stderr } = spawnSync('ffmpeg', all, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`ffmpeg could not make the media: ${stderr}`)
  renameSync(draft, path)
  return path
}
