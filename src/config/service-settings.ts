import { z } from 'zod'
import { DURATION_TEXT, optionHelp, pathText, wholeNumber } from './option-help.ts'
import { duration } from './values.ts'

const REQUESTED = { group: 'Recordings on request' } as const
const RETENTION = { group: 'Retention' } as const
const JOBS = { group: 'Work after the stop' } as const
const WEBHOOKS = { group: 'Webhooks' } as const
const STATE = { group: 'State and logs' } as const
const LIMITS = { group: 'Limits' } as const
const MAX_MB = 1_000_000_000

const optionalDuration = (help: { readonly description: string; readonly unset: string }, minMs: number) =>
  duration(minMs)
    .optional()
    .register(optionHelp, { ...RETENTION, placeholder: 'duration', allowed: DURATION_TEXT, ...help })

/** Redis, by URL. */
const redisUrl = z.string().regex(/^rediss?:\/\/\S+$/, 'not a Redis URL')
/** Addresses of webhooks, separated by commas or spaces. */
const urlList = z
  .string()
  .max(8192)
  .transform((text, context): string[] => {
    const urls = text.split(/[\s,]+/).filter((url) => url !== '')
    const wrong = urls.find((url) => !/^https?:$/.test(URL.parse(url)?.protocol ?? ''))
    if (wrong === undefined) return urls
    context.issues.push({ code: 'custom', message: `${wrong} is not an http or https URL`, input: text })
    return z.NEVER
  })

/** Settings of recordings as a service: joined with the others in `settingsSchema`. */
export const serviceSettings = {
  recordQuality: z
    .string()
    .regex(/^(?:high|standard|low|\d{2,6}k?)$/)
    .default('high')
    .transform((text) => (/^\d+$/.test(text) ? `${text}k` : text))
    .register(optionHelp, {
      group: 'Recording',
      placeholder: 'quality',
      description:
        'Of what is recorded by itself: high (the source), standard (75 % of its bitrate), low (50 %), or kbps; the source is kept',
      allowed: 'high, standard, low, or a video bitrate in kbps such as 2500',
    }),
  keepSource: z
    .boolean()
    .default(true)
    .register(optionHelp, {
      ...REQUESTED,
      description: 'Keep the source once a rendition of it is verified',
    }),
  reconnectWindow: duration(0)
    .optional()
    .register(optionHelp, {
      ...REQUESTED,
      placeholder: 'duration',
      description: 'A participant who comes back within this goes on in the same file',
      allowed: DURATION_TEXT,
      unset: '30 s; but RTMP publishers that --record-all records are not waited for',
    }),
  revivalWindow: duration(0).prefault('30s').register(optionHelp, {
    group: 'Recording',
    placeholder: 'duration',
    description:
      'A participant who comes back within this after a crash and restart goes on in the same recording; 0: such recordings end',
    allowed: DURATION_TEXT,
  }),
  maxRecordings: wholeNumber(1, 100_000)
    .default(10)
    .register(optionHelp, {
      ...REQUESTED,
      placeholder: 'n',
      description: 'Recordings at a time, over all servers on the same state; those made by --record-all do not count',
    }),
  maxRecordingsPerUser: wholeNumber(1, 100_000)
    .optional()
    .register(optionHelp, {
      ...REQUESTED,
      placeholder: 'n',
      description: 'The same for one user',
      allowed: 'a whole number from 1',
      unset: 'no limit of its own',
    }),
  maxRecordingDuration: duration(1000)
    .prefault('2h')
    .register(optionHelp, {
      ...REQUESTED,
      placeholder: 'duration',
      description: 'A recording stops cleanly after so much media',
      allowed: `${DURATION_TEXT}; at least 1s`,
    }),
  maxRecordingSizeMb: wholeNumber(1, MAX_MB)
    .optional()
    .register(optionHelp, {
      ...REQUESTED,
      placeholder: 'MB',
      description: 'A recording stops cleanly at this size, all its files together',
      allowed: 'whole megabytes from 1',
      unset: 'no limit',
    }),
  recordReserve: duration(0)
    .prefault('15m')
    .register(optionHelp, {
      ...REQUESTED,
      placeholder: 'duration',
      description: 'Refuse new recordings when the disk would not hold what runs, and the new one, for so long',
      allowed: DURATION_TEXT,
    }),

  retainFor: optionalDuration(
    { description: 'Delete recordings that ended longer ago', unset: 'kept for ever' },
    60_000,
  ),
  retainTotalMb: wholeNumber(1, MAX_MB)
    .optional()
    .register(optionHelp, {
      ...RETENTION,
      placeholder: 'MB',
      description: 'Delete the oldest recordings while all together are larger',
      allowed: 'whole megabytes from 1',
      unset: 'no limit',
    }),
  retainFreeMb: wholeNumber(1, MAX_MB)
    .optional()
    .register(optionHelp, {
      ...RETENTION,
      placeholder: 'MB',
      description: 'Delete the oldest recordings while the disk has less room',
      allowed: 'whole megabytes from 1',
      unset: 'no limit',
    }),

  ffmpeg: pathText.default('ffmpeg').register(optionHelp, {
    ...JOBS,
    placeholder: 'path',
    description: 'ffmpeg, for renditions and thumbnails; ffprobe is looked for beside it',
  }),
  jobConcurrency: wholeNumber(0, 64)
    .default(1)
    .register(optionHelp, {
      ...JOBS,
      placeholder: 'n',
      description: 'Jobs at a time in this process; 0 leaves them to "tapedeck worker", which needs --redis',
    }),
  thumbnails: z
    .boolean()
    .default(true)
    .register(optionHelp, {
      ...JOBS,
      description: 'Make thumbnails of recordings that were asked for, where there is ffmpeg',
    }),

  publicUrl: z
    .url({ protocol: /^https?$/ })
    .optional()
    .register(optionHelp, {
      group: 'Access',
      placeholder: 'url',
      description: 'Where users reach the API, for download links',
      allowed: 'an http or https URL',
      unset: 'links begin with the path',
    }),
  corsOrigins: z.string().max(8192).optional().register(optionHelp, {
    group: 'Access',
    placeholder: 'origins',
    description: 'Web pages of these origins may use the API: https://a.example,https://b.example, or *',
    unset: 'none but its own',
  }),

  webhookUrl: urlList.optional().register(optionHelp, {
    ...WEBHOOKS,
    placeholder: 'url[,url]',
    description: 'Post every event here',
    allowed: 'http or https URLs, separated by commas',
    unset: 'none',
  }),
  webhookSecretFile: pathText.optional().register(optionHelp, {
    ...WEBHOOKS,
    placeholder: 'file',
    description: 'Secret that signs webhooks (HMAC-SHA256), at least 32 bytes',
    unset: '{data-dir}/webhook-secret, made at first start',
  }),
  webhookAllowPrivate: z
    .boolean()
    .default(false)
    .register(optionHelp, {
      ...WEBHOOKS,
      description: 'Webhooks may go to loopback, link-local and private addresses, too',
    }),

  maxRequestRate: wholeNumber(1, 1_000_000)
    .default(100)
    .register(optionHelp, {
      ...LIMITS,
      placeholder: 'n',
      description: 'API requests per second of one user or address; who needs no token on this machine is not bound',
    }),

  redis: redisUrl.optional().register(optionHelp, {
    ...STATE,
    placeholder: 'url',
    description: 'Keep state in Redis, for several servers and workers: redis://host:6379',
    allowed: 'redis://… or rediss://…',
    unset: 'state is kept in {data-dir}',
  }),
  redisPrefix: z
    .string()
    .regex(/^[\w.:{}-]{1,64}$/)
    .default('webrtc:recording:')
    .register(optionHelp, { ...STATE, placeholder: 'prefix', description: 'What all keys in Redis begin with' }),
  redisStateTtl: duration(60_000)
    .prefault('7d')
    .register(optionHelp, {
      ...STATE,
      placeholder: 'duration',
      description: 'Life of {prefix}state:{id} after its last change',
      allowed: DURATION_TEXT,
    }),
  redisIndexTtl: duration(60_000)
    .prefault('24h')
    .register(optionHelp, {
      ...STATE,
      placeholder: 'duration',
      description: 'Life of {prefix}room:{room} and {prefix}user:{user} after their last change',
      allowed: DURATION_TEXT,
    }),
  nodeName: z
    .string()
    .regex(/^[\w.-]{1,64}$/)
    .optional()
    .register(optionHelp, {
      ...STATE,
      placeholder: 'name',
      description: 'What this server is called among those that share its state',
      unset: 'made at first start, kept in {data-dir}',
    }),
} as const
