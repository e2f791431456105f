import type { Strays } from './demux.ts'
import type { SessionFigures } from './engine.ts'
import type { IncomingLine } from './incoming-line.ts'

/** What the connection of a session has to say. */
export interface ConnectionFigures {
  /** As the peer confirms it, or by the candidate pair; undefined where neither is known. */
  readonly rttMs: number | undefined
  /** `performance.now()` of the last RTP packet. */
  readonly lastHeardMs: number | undefined
  readonly remote: string | undefined
}

/** The figures of a publishing session. `strays` are those that no encoding has counted. */
export function publishFigures(
  lines: readonly IncomingLine[],
  strays: Strays,
  { rttMs, lastHeardMs, remote }: ConnectionFigures,
): SessionFigures {
  const video = lines.find(({ media }) => media.kind === 'video')?.delayMs
  const audio = lines.find(({ media }) => media.kind === 'audio')?.delayMs
  let { notNegotiated, malformed } = strays
  let retransmissionMs: number | undefined
  for (const line of lines) {
    for (const encoding of line.encodings) {
      const figures = encoding.figures()
      notNegotiated += figures.notNegotiated
      malformed += figures.malformed
      const soonestMs = encoding.measures.rttMs
      if (soonestMs !== undefined) retransmissionMs = Math.min(retransmissionMs ?? soonestMs, soonestMs)
    }
  }
  const roundTripMs = rttMs ?? retransmissionMs
  return {
    tracks: lines.flatMap((line) => line.figures()),
    strays: { unknownSsrc: strays.unknownSsrc, notNegotiated, malformed },
    ...(roundTripMs === undefined ? {} : { rttMs: roundTripMs }),
    ...(video === undefined || audio === undefined ? {} : { avOffsetMs: video - audio }),
    ...(lastHeardMs === undefined ? {} : { lastRtpAtMs: performance.timeOrigin + lastHeardMs }),
    ...(remote === undefined ? {} : { remote }),
  }
}
