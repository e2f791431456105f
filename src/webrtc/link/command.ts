import type { PublishRequest, WatchRequest } from '../engine.ts'
import type { TransportOptions } from '../transport.ts'

/** How many frames of a track wait when the server does not take them, before the oldest GOP is dropped. */
export interface QueueBounds {
  readonly videoFrames: number
  readonly audioFrames: number
}

/** What the media process is told first. */
export interface MediaProcessOptions {
  readonly transport: TransportOptions
  /** Sessions of both kinds at a time. */
  readonly maxSessions: number
  readonly queue: QueueBounds
}

/** What the server tells the media process. `session` is a number of the link's own. */
export type Command =
  | { readonly op: 'configure'; readonly options: MediaProcessOptions }
  | { readonly op: 'publish'; readonly session: number; readonly request: PublishRequest }
  | { readonly op: 'watch'; readonly session: number; readonly request: WatchRequest }
  | { readonly op: 'candidates'; readonly session: number; readonly candidates: readonly string[] }
  | { readonly op: 'keyframe'; readonly session: number; readonly trackId?: number }
  | { readonly op: 'finish'; readonly session: number }
  | { readonly op: 'close'; readonly session: number }
  | { readonly op: 'shutdown' }

const OPS = ['configure', 'publish', 'watch', 'candidates', 'keyframe', 'finish', 'close', 'shutdown']

/** Whether this is a command: it comes from our own server, so only its kind is looked at. */
export function isCommand(message: unknown): message is Command {
  if (typeof message !== 'object' || message === null || !('op' in message)) return false
  return typeof message.op === 'string' && OPS.includes(message.op)
}
