import { z } from 'zod'
import type { StoredEvent } from '../state/event-store.ts'

/** Why the server closes an event socket: what programs tell apart. RFC 6455 §7.4.2 leaves 4000 to 4999 to applications. */
export const CLOSE = {
  /** The server stops, RFC 6455 §7.4.1. */
  goingAway: 1001,
  /** Too many messages, RFC 6455 §7.4.1. */
  policy: 1008,
  /** A message that is too long, RFC 6455 §7.4.1. */
  tooLong: 1009,
  /** The state cannot be had, or there are too many sockets: come back later. IANA registry. */
  tryAgainLater: 1013,
  /** A message that means nothing here. */
  badMessage: 4400,
  /** No token, a bad one, or one that has expired. */
  unauthorized: 4401,
  /** A room that is not the caller's. */
  forbidden: 4403,
  /** It read too slowly: come back with `since`. */
  tooSlow: 4408,
} as const

/** Longest message of a client, bytes: a token fits. */
export const MAX_CLIENT_MESSAGE_BYTES = 4 * 1024 + 512
/** Most rooms that one socket names. */
export const MAX_ROOMS = 100

const room = z.string().min(1).max(255)

/** What a client may say. */
export const clientMessageSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('auth'), token: z.string().min(1).max(4096) }),
  z.object({ type: z.literal('subscribe'), room }),
  z.object({ type: z.literal('unsubscribe'), room }),
])
/** See `clientMessageSchema`. */
export type ClientMessage = z.output<typeof clientMessageSchema>

const querySchema = z.object({
  /** Names separated by commas; may be there more than once. */
  room: z
    .union([z.string(), z.array(z.string()).max(MAX_ROOMS)])
    .transform((given) => [given].flat().flatMap((text) => text.split(',').filter((name) => name !== '')))
    .pipe(z.array(room).max(MAX_ROOMS))
    .optional(),
  since: z.coerce.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER).optional(),
  token: z.string().max(4096).optional(),
})
/** How a socket is opened. */
export type EventQuery = z.output<typeof querySchema>

/** What is behind the `?` of the address; undefined when it cannot be used. */
export function parseEventQuery(query: unknown): EventQuery | undefined {
  return querySchema.safeParse(query).data
}

/** The message in `text`; undefined when it is none that a client may send. */
export function parseClientMessage(text: string): ClientMessage | undefined {
  try {
    return clientMessageSchema.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}

/** An event as it goes over the wire. */
export function eventText({ id, type, room_id, data, seq, time }: StoredEvent): string {
  return JSON.stringify({ type, room_id, data, seq, time, id })
}

/** What the server says of its own: the same shape, without an id. `seq` is where the socket stands. */
export function noticeText(type: 'hello' | 'replay_gap' | 'subscribed', seq: number, data: object): string {
  return JSON.stringify({ type, room_id: null, data, seq, time: new Date().toISOString(), id: null })
}
