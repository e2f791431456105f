import { z } from 'zod'
import { MalformedError } from '../../media/errors.ts'

/** One stream as the headers of its file say. */
export interface ProbedStream {
  /** Among all streams of the file. */
  readonly index: number
  readonly kind: 'video' | 'audio'
  /** ffprobe's name: `h264`, `aac`, `pcm_s16le`… */
  readonly codec: string
  /** As stored; 0 for audio. */
  readonly width: number
  readonly height: number
  /** Width of a pixel over its height. */
  readonly pixelAspect: number
  /** Shown turned by a quarter: width and height change places. */
  readonly isTurned: boolean
  readonly sampleRateHz: number
  readonly channels: number
  readonly color: { readonly primaries?: string; readonly transfer?: string; readonly space?: string }
  readonly title: string | undefined
}

const text = z.string().optional()
const headerSchema = z.object({
  format: z.object({ duration: text, start_time: text }).optional(),
  streams: z
    .array(
      z.object({
        index: z.number().int(),
        codec_type: text,
        codec_name: text,
        width: z.number().optional(),
        height: z.number().optional(),
        sample_aspect_ratio: text,
        sample_rate: text,
        channels: z.number().optional(),
        color_space: text,
        color_transfer: text,
        color_primaries: text,
        disposition: z.object({ attached_pic: z.number().optional() }).optional(),
        tags: z.object({ title: text, rotate: text }).optional(),
        side_data_list: z.array(z.object({ rotation: z.number().optional() })).optional(),
      }),
    )
    .max(1000)
    .default([]),
})
type Header = z.output<typeof headerSchema>['streams'][number]

/** Reads what ffprobe wrote about `path`. @throws MalformedError */
export function parseStreams(
  json: string,
  path: string,
): { streams: ProbedStream[]; durationSeconds: number | undefined; startSeconds: number } {
  const { data } = headerSchema.safeParse(parseJson(json))
  if (data === undefined) throw new MalformedError(path, 'ffprobe says nothing of it that can be understood')
  const duration = Number(data.format?.duration ?? Number.NaN)
  return {
    streams: data.streams.flatMap((header) => probed(header) ?? []),
    durationSeconds: duration > 0 ? duration : undefined,
    startSeconds: finite(Number(data.format?.start_time)),
  }
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}

function probed(header: Header): ProbedStream | undefined {
  const kind = header.codec_type
  if ((kind !== 'video' && kind !== 'audio') || header.disposition?.attached_pic === 1) return undefined
  const rotation =
    Number(header.tags?.rotate ?? 0) || (header.side_data_list?.find((data) => data.rotation)?.rotation ?? 0)
  return {
    index: header.index,
    kind,
    codec: header.codec_name ?? 'unknown',
    width: header.width ?? 0,
    height: header.height ?? 0,
    pixelAspect: ratio(header.sample_aspect_ratio),
    isTurned: Math.abs(Math.round(rotation / 90)) % 2 === 1,
    sampleRateHz: finite(Number(header.sample_rate)),
    channels: header.channels ?? 0,
    color: {
      ...named('primaries', header.color_primaries),
      ...named('transfer', header.color_transfer),
      ...named('space', header.color_space),
    },
    title: header.tags?.title,
  }
}

/** `4:3` → 1.33; square where nothing, or nonsense, is said. */
function ratio(text: string | undefined): number {
  const [width, height] = (text ?? '1:1').split(':').map(Number)
  const value = (width ?? 1) / (height ?? 1)
  return value > 0.01 && value < 100 ? value : 1
}

function named<K extends string>(key: K, value: string | undefined): { [key in K]?: string } {
  const isKnown = value !== undefined && /^[\w-]{1,40}$/.test(value) && value !== 'unknown' && value !== 'reserved'
  const entry: { [key in K]?: string } = {}
  if (isKnown) entry[key] = value
  return entry
}

function finite(value: number): number {
  return Number.isFinite(value) ? value : 0
}
