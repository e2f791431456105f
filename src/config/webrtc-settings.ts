import { isIP } from 'node:net'
import { z } from 'zod'
import { isIceServer } from '../api/webrtc/ice-servers.ts'
import { DURATION_TEXT, optionHelp, wholeNumber } from './option-help.ts'
import { duration } from './values.ts'

const WEBRTC = { group: 'WebRTC' } as const
/** What a browser can be made to send, and more than any camera gives, bits per second. */
const MIN_BITRATE_BPS = 50_000
const MAX_BITRATE_BPS = 1_000_000_000
const MAX_QUEUED_FRAMES = 10_000
/** Of this machine or of another; without a zone, which means nothing elsewhere. */
const isAddress = (text: string) => isIP(text) !== 0 && !text.includes('%')
const UNIT_BPS: Readonly<Record<string, number>> = { '': 1, k: 1000, M: 1_000_000 }

/** Bits per second, as people write them: `10M`, `2500k`. */
const bitrate = z.string().transform((text, context): number => {
  const [, count, unit = ''] = /^(\d+(?:\.\d+)?)([kM]?)$/.exec(text) ?? []
  const bps = count === undefined ? Number.NaN : Math.round(Number(count) * (UNIT_BPS[unit] ?? 1))
  if (bps >= MIN_BITRATE_BPS && bps <= MAX_BITRATE_BPS) return bps
  context.issues.push({ code: 'custom', message: 'not a bitrate', input: text })
  return z.NEVER
})

/** Several of something, separated by commas or spaces; each as `accepts` wants it. */
const listOf = (what: string, accepts: (item: string) => boolean) =>
  z
    .string()
    .max(8192)
    .transform((text, context): string[] => {
      const items = text.split(/[\s,]+/).filter((item) => item !== '')
      const wrong = items.find((item) => !accepts(item))
      if (wrong === undefined) return items
      context.issues.push({ code: 'custom', message: `not ${what}`, input: text })
      return z.NEVER
    })

/** Settings of WHIP and WHEP: joined with the others in `settingsSchema`. */
export const webrtcSettings = {
  webrtc: z
    .enum(['on', 'off'])
    .default('on')
    .register(optionHelp, {
      ...WEBRTC,
      placeholder: 'on|off',
      description: 'Take WHIP publishers and WHEP viewers, at /whip/{room}/{name} and /whep/… of --http',
    }),
  webrtcPort: wholeNumber(0, 65_535)
    .default(8189)
    .register(optionHelp, {
      ...WEBRTC,
      placeholder: 'port',
      description: 'UDP port of all WebRTC media; 0 for one of its own per peer',
    }),
  webrtcBind: z
    .string()
    .refine(isAddress)
    .optional()
    .register(optionHelp, {
      ...WEBRTC,
      placeholder: 'address',
      description: 'Take media at this address only',
      allowed: 'an IP address of this machine',
      unset: 'every address',
    }),
  webrtcPublicAddress: listOf('an IP address', isAddress)
    .optional()
    .register(optionHelp, {
      ...WEBRTC,
      placeholder: 'address[,address]',
      description:
        'Under which this machine is reached from outside, where it does not have them itself (NAT, containers)',
      allowed: 'IP addresses, separated by commas',
      unset: 'its own addresses alone',
    }),
  iceServer: listOf('an ICE server', isIceServer)
    .optional()
    .register(optionHelp, {
      ...WEBRTC,
      placeholder: 'url[,url]',
      description: 'STUN and TURN servers, for peers and for this server (TURN only with --webrtc-port 0)',
      allowed: 'stun:host:port or turn:user:password@host:port, separated by commas',
      unset: 'none',
    }),
  turnSecretFile: z
    .string()
    .min(1)
    .optional()
    .register(optionHelp, {
      ...WEBRTC,
      placeholder: 'file',
      description: 'Secret that is shared with TURN servers given as turn:host:port: peers get passwords for a day',
      unset: 'none',
    }),
  webrtcMaxBitrate: bitrate.prefault('10M').register(optionHelp, {
    ...WEBRTC,
    placeholder: 'bitrate',
    description: 'Of one publisher; browsers are let up to it as far as the network goes',
    allowed: 'bits per second from 50k to 1000M, such as 2500k or 10M',
  }),
  webrtcJitterBudget: duration(0)
    .prefault('1s')
    .register(optionHelp, {
      ...WEBRTC,
      placeholder: 'duration',
      description:
        'How long a lost packet is asked for again before it is given up; live viewers wait no longer for it',
      allowed: DURATION_TEXT,
    }),
  webrtcVideoQueue: wholeNumber(2, MAX_QUEUED_FRAMES)
    .default(60)
    .register(optionHelp, {
      ...WEBRTC,
      placeholder: 'frames',
      description: 'Frames per video track that may wait for this process, before the oldest go, in whole GOPs',
    }),
  webrtcAudioQueue: wholeNumber(2, MAX_QUEUED_FRAMES)
    .default(200)
    .register(optionHelp, {
      ...WEBRTC,
      placeholder: 'frames',
      description: 'The same per audio track',
    }),
  recordLayers: z.enum(['best', 'all']).default('best').register(optionHelp, {
    group: 'Recording',
    placeholder: 'which',
    description: 'Of simulcast: the best layer there is at each moment, or each as a track of its own',
  }),
} as const

/** The name of a setting of WebRTC. */
export type WebrtcSettingName = keyof typeof webrtcSettings
