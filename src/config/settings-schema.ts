import { z } from 'zod'
import { recorderConfigSchema } from '../recorder/config.ts'
import { DURATION_TEXT as DURATION, optionHelp, pathText as path, wholeNumber } from './option-help.ts'
import { serviceSettings } from './service-settings.ts'
import { uploadSettings } from './upload-settings.ts'
import { duration, endpoint, endpointOrOff } from './values.ts'
import { webrtcSettings } from './webrtc-settings.ts'

const ENDPOINT = 'host:port, [ipv6]:port, port (on 127.0.0.1) or *:port (on every address)'
const LISTENING = { group: 'Listening', placeholder: 'host:port' } as const
const RECORDING = { group: 'Recording' } as const
const ACCESS = { group: 'Access' } as const
const LIMITS = { group: 'Limits' } as const
const STATE = { group: 'State and logs' } as const

const recorder = recorderConfigSchema.shape

/**
 * Every setting of `tapedeck serve`, once: flags, `TAPEDECK_…` variables, the config file, `--help` and the messages
 * about mistakes are all made from this. A key `recordDir` is `--record-dir`, `TAPEDECK_RECORD_DIR` and `"record-dir"`.
 */
export const settingsSchema = z.object({
  rtmp: endpointOrOff.prefault('127.0.0.1:1935').register(optionHelp, {
    ...LISTENING,
    description: 'Take RTMP here; "off" for none',
    allowed: `${ENDPOINT}, or off`,
  }),
  rtmps: endpoint.optional().register(optionHelp, {
    ...LISTENING,
    description: 'Take RTMP over TLS here, too; needs --tls-cert and --tls-key',
    allowed: ENDPOINT,
    unset: 'not listening',
  }),
  tlsCert: path.optional().register(optionHelp, {
    group: 'Listening',
    placeholder: 'file',
    description: 'Certificate chain for --rtmps, PEM',
  }),
  tlsKey: path
    .optional()
    .register(optionHelp, { group: 'Listening', placeholder: 'file', description: 'Private key for --rtmps, PEM' }),
  http: endpointOrOff.prefault('127.0.0.1:8080').register(optionHelp, {
    ...LISTENING,
    description: 'Serve the API, /healthz, /readyz and /metrics here; "off" for none',
    allowed: `${ENDPOINT}, or off`,
  }),
  takeover: z.boolean().default(false).register(optionHelp, {
    group: 'Listening',
    description: 'A second publisher on a busy name replaces the first; otherwise it is refused',
  }),

  recordAll: recorder.recordAll.register(optionHelp, {
    ...RECORDING,
    alias: 'record',
    description: 'Record every stream from its first keyframe',
  }),
  recordDir: recorder.dir.register(optionHelp, {
    ...RECORDING,
    placeholder: 'dir',
    description: 'Where recordings go; made when missing',
  }),
  recordFormat: recorder.format.register(optionHelp, {
    ...RECORDING,
    placeholder: 'format',
    description: 'mp4, webm, mkv, flv, or auto: mp4 or webm, whichever holds what is published; mkv where neither does',
  }),
  audioFormat: recorder.audioFormat.register(optionHelp, {
    ...RECORDING,
    placeholder: 'format',
    description: 'Of participants who send sound alone: weba, ogg, mkv, mp4, or auto: as --record-format',
  }),
  recordFilename: recorder.filename.register(optionHelp, {
    ...RECORDING,
    placeholder: 'template',
    description: 'Names of files: {room} {participant} {timestamp} {codec} {resolution} {part}; "/" makes directories',
  }),
  recordMaxSizeMb: wholeNumber(1, 16_777_216)
    .optional()
    .register(optionHelp, {
      ...RECORDING,
      placeholder: 'MB',
      description: 'Go on in a new file at the first keyframe after this size',
      allowed: 'whole megabytes from 1',
      unset: 'no limit',
    }),
  recordMaxDuration: duration(100)
    .optional()
    .register(optionHelp, {
      ...RECORDING,
      placeholder: 'duration',
      description: 'Go on in a new file at the first keyframe after this time',
      allowed: `${DURATION}; at least 100ms`,
      unset: 'no limit',
    }),
  recordSplitOnCodecChange: recorder.splitOnCodecChange.register(optionHelp, {
    ...RECORDING,
    description: 'A new file at every change of codec or resolution, even where one file could hold both',
  }),
  recordMinFreeMb: wholeNumber(0, 16_777_216)
    .default(500)
    .register(optionHelp, {
      ...RECORDING,
      placeholder: 'MB',
      description: 'Pause recording, with files closed playable, while the disk has less room than this',
      allowed: 'whole megabytes from 0',
    }),
  recordReport: recorder.report.register(optionHelp, {
    ...RECORDING,
    description: 'Write a report (JSON) beside each recording',
  }),
  fsync: recorder.fsync.register(optionHelp, {
    ...RECORDING,
    placeholder: 'when',
    description: 'When files are forced to the disk, against power loss: interval, always or never',
  }),
  fsyncInterval: duration(100)
    .prefault('5s')
    .register(optionHelp, {
      ...RECORDING,
      placeholder: 'duration',
      description: 'How often, with --fsync interval',
      allowed: `${DURATION}; at least 100ms`,
    }),

  ...serviceSettings,

  ...webrtcSettings,
  ...uploadSettings,

  requireToken: z
    .boolean()
    .default(false)
    .register(optionHelp, {
      ...ACCESS,
      description: 'Ask for a token on this machine, too (set it behind a proxy, where every peer looks local)',
    }),
  allowAnonymous: z
    .boolean()
    .default(false)
    .register(optionHelp, {
      ...ACCESS,
      description: 'Anybody who reaches the ports may publish, play and read metrics without a token',
    }),
  jwtSecretFile: path.optional().register(optionHelp, {
    ...ACCESS,
    placeholder: 'file',
    description: 'Secret that signs tokens (HS256), at least 32 bytes',
    unset: '{data-dir}/secret, made at first start',
  }),
  jwks: path.optional().register(optionHelp, {
    ...ACCESS,
    placeholder: 'file|url',
    description: 'Public keys (JWK Set) of an issuer whose tokens are taken as well',
    unset: 'none',
  }),

  maxConnections: wholeNumber(1, 1_000_000)
    .default(2000)
    .register(optionHelp, {
      ...LIMITS,
      placeholder: 'n',
      description: 'RTMP connections at a time, per listener',
    }),
  maxConnectionRate: wholeNumber(1, 1_000_000)
    .default(100)
    .register(optionHelp, {
      ...LIMITS,
      placeholder: 'n',
      description: 'New connections per second from one address; this machine itself is not bound',
    }),
  maxStreams: wholeNumber(1, 1_000_000)
    .default(1000)
    .register(optionHelp, {
      ...LIMITS,
      placeholder: 'n',
      description: 'Streams published at a time',
    }),
  maxMessageMb: wholeNumber(1, 256)
    .default(16)
    .register(optionHelp, {
      ...LIMITS,
      placeholder: 'MB',
      description: 'Size of one RTMP message, so of one frame',
    }),
  handshakeTimeout: duration(100)
    .prefault('10s')
    .register(optionHelp, {
      ...LIMITS,
      placeholder: 'duration',
      description: 'Time a connection has from its first byte to publish or play',
      allowed: `${DURATION}; at least 100ms`,
    }),
  idleTimeout: duration(100)
    .prefault('30s')
    .register(optionHelp, {
      ...LIMITS,
      placeholder: 'duration',
      description: 'A publisher that sends nothing for so long is disconnected',
      allowed: `${DURATION}; at least 100ms`,
    }),
  stopTimeout: duration(0)
    .prefault('30s')
    .register(optionHelp, {
      ...LIMITS,
      placeholder: 'duration',
      description: 'Time to finish all recordings after the first Ctrl-C; what is left then, the next start finishes',
      allowed: DURATION,
    }),

  dataDir: path.default('./tapedeck-data').register(optionHelp, {
    ...STATE,
    placeholder: 'dir',
    description: 'State that outlives the process: open recordings, the secret',
  }),
  auditLog: path.optional().register(optionHelp, {
    ...STATE,
    placeholder: 'file',
    description: 'JSON lines: which file was created, rotated, finalised, repaired, deleted, and when',
    unset: '{data-dir}/audit.log',
  }),
  statsInterval: duration(0)
    .prefault('60s')
    .register(optionHelp, {
      ...STATE,
      placeholder: 'duration',
      description: 'A log line of numbers per stream and recording this often; 0s for none',
      allowed: DURATION,
    }),
  logLevel: z
    .enum(['debug', 'info', 'warn', 'error', 'silent'])
    .default('info')
    .register(optionHelp, {
      ...STATE,
      placeholder: 'level',
      description: 'debug, info, warn, error or silent',
    }),
  logFormat: z
    .enum(['auto', 'json', 'text'])
    .default('auto')
    .register(optionHelp, {
      ...STATE,
      placeholder: 'format',
      description: 'Log lines on standard error: json, text, or auto: text on a terminal, json otherwise',
    }),
})

/** All settings of a server, complete and checked. */
export type Settings = z.output<typeof settingsSchema>
/** Settings as text and numbers, each with a default: what `serverSettings` takes. */
export type ServerOptions = z.input<typeof settingsSchema>
/** The name of a setting as code and the config file say it: `recordDir`. */
export type SettingName = keyof Settings
