/** What has to have happened, in this order, before media of a source is kept. The first that has not is why there is none. */
export const CHECKLIST = [
  'connected',
  'tracks_published',
  'subscribed',
  'first_rtp',
  'first_keyframe',
  'frames_flowing',
  'feedback_seen',
] as const
/** One of `CHECKLIST`. */
export type ChecklistLine = (typeof CHECKLIST)[number]

/** The life of a source that is reached over a transport which can fail (WebRTC, LiveKit, pulls). */
export const SOURCE_STATES = [
  'disconnected',
  'connecting',
  'connected',
  'subscribing',
  'subscribed',
  'recording',
  'stopping',
  'stopped',
] as const
/** One of `SOURCE_STATES`. */
export type SourceState = (typeof SOURCE_STATES)[number]

/** A time in which frames of a track were lost or left out. */
export interface MediaLoss {
  readonly trackId: number
  /** When it began, ISO 8601, UTC. */
  readonly at: string
  /** From the last frame before to the first after it, by media time, ms. */
  readonly lengthMs: number
  /** Packets that never came, however often they were asked for. */
  readonly packets: number
  /** Frames of which a part was missing; those of which nothing came are not known. */
  readonly damagedFrames: number
  /** Whole frames that were left out since what they refer to was lost. */
  readonly undecodableFrames: number
}

/** Counters of one track; they only grow, except where a unit says what they are. */
export interface SourceTrackFigures {
  readonly trackId: number
  readonly kind: 'video' | 'audio'
  readonly codec: string
  /** Of the session description. */
  readonly mid: string
  /** Of the simulcast layer that is taken now. */
  readonly rid?: string
  readonly frames: number
  readonly keyframes: number
  readonly bytes: number
  /** Left out because a queue on the way to the recorder was full, in whole GOPs. */
  readonly droppedFrames: number
  readonly damagedFrames: number
  readonly undecodableFrames: number
  readonly packets: number
  /** Given up for lost. */
  readonly packetsLost: number
  /** Came after all because they were asked for. */
  readonly packetsRecovered: number
  readonly packetsDuplicate: number
  /** Came after they had been given up for lost. */
  readonly packetsLate: number
  /** Of lost to expected packets over all, 0 to 1. */
  readonly lossRate: number
  /** Sequence numbers that were asked for again. */
  readonly nacks: number
  readonly plis: number
  readonly firs: number
  /** Retransmissions that came on a stream of their own (RFC 4588), of packets that were missing. */
  readonly rtx: number
  /** RFC 3550 §A.8, ms. */
  readonly jitterMs: number
  readonly bitrateBps: number
  readonly width?: number
  readonly height?: number
  readonly resolutionChanges: number
}

/** Packets of which nothing can be kept. */
export interface StrayPackets {
  /** Nothing says to which m-line they belong, or there were too many SSRCs. */
  readonly unknownSsrc: number
  /** Of payload types that were not agreed upon. */
  readonly notNegotiated: number
  /** Packets and payloads that cannot be read, and packets whose sequence numbers fit no others. */
  readonly malformed: number
}

/** What a source knows of itself, for the API and for reports. Times are ISO 8601, UTC. */
export interface SourceReport {
  readonly state: SourceState
  /** Why it came to this state where that was not asked for. */
  readonly fault?: { readonly code: string; readonly message: string }
  /** When each line was first met; null while it is not. */
  readonly checklist: Readonly<Record<ChecklistLine, string | null>>
  readonly tracks: readonly SourceTrackFigures[]
  /** The last hundred, oldest first; `lossCount` says how many there were. */
  readonly losses: readonly MediaLoss[]
  readonly lossCount: number
  /** Undefined before the source has said. */
  readonly strays?: StrayPackets
  /** Round trip by RTCP that confirms ours (RFC 3611), the candidate pair, or how soon lost packets come again, ms. */
  readonly rttMs?: number
  /** How much later the picture is than the sound, by the sender's reports, ms. */
  readonly avOffsetMs?: number
  /** From the request to the connection, ms. */
  readonly connectionMs?: number
  /** From the connection to the first RTP packet, ms. */
  readonly subscriptionMs?: number
}

/** The first line of the list that was never met; undefined when all were. */
export function firstUnmet(checklist: SourceReport['checklist']): ChecklistLine | undefined {
  return CHECKLIST.find((line) => checklist[line] === null)
}
