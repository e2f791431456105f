import type { MediaLoss, SourceReport, SourceTrackFigures } from '../../media/source-report.ts'
import type { SessionFigures } from '../../webrtc/engine.ts'

/** Losses that a report lists; all are counted. */
const MAX_LISTED_LOSSES = 100

/** What the engine has told of a publisher so far. */
export class PublisherFigures {
  readonly #losses: MediaLoss[] = []
  /** Video of which packets come, and no frames: it waits for a keyframe. */
  readonly #blind = new Set<number>()
  #lossCount = 0
  #last: SessionFigures = { tracks: [] }

  get last(): SessionFigures {
    return this.#last
  }
  /** Something was asked of the sender, or sent again. */
  get hasFeedback(): boolean {
    return this.#last.tracks.some(({ nacks, plis, firs, rtx }) => nacks + plis + firs + rtx > 0)
  }
  /** Video comes: of a camera that is off there is no keyframe to wait for. */
  get seesVideo(): boolean {
    return this.#last.tracks.some(isVideoThatFlows)
  }
  /** Video comes of which there was no keyframe yet, or none since a loss. */
  get isBlind(): boolean {
    return this.#blind.size > 0
  }
  /** The share of the figures in a report. */
  get report(): Pick<SourceReport, 'tracks' | 'losses' | 'lossCount' | 'strays' | 'rttMs' | 'avOffsetMs'> {
    const { tracks, strays, rttMs, avOffsetMs } = this.#last
    return {
      tracks,
      losses: [...this.#losses],
      lossCount: this.#lossCount,
      ...(strays === undefined ? {} : { strays }),
      ...(rttMs === undefined ? {} : { rttMs }),
      ...(avOffsetMs === undefined ? {} : { avOffsetMs }),
    }
  }

  /** What is measured of packets that come is no longer known when a session ends: the last that was known stays. */
  take(figures: SessionFigures): void {
    const { tracks, rttMs, avOffsetMs } = this.#last
    for (const track of figures.tracks) this.#look(track)
    this.#last = {
      ...(rttMs === undefined ? {} : { rttMs }),
      ...(avOffsetMs === undefined ? {} : { avOffsetMs }),
      ...figures,
      tracks: figures.tracks.map((track) => {
        if (track.jitterMs > 0) return track
        return { ...track, jitterMs: tracks.find(({ trackId }) => trackId === track.trackId)?.jitterMs ?? 0 }
      }),
    }
  }

  /** A keyframe of this track came. */
  keyframe(trackId: number): void {
    this.#blind.delete(trackId)
  }

  loss(loss: MediaLoss): void {
    this.#lossCount++
    this.#losses.push(loss)
    if (this.#losses.length > MAX_LISTED_LOSSES) this.#losses.shift()
  }

  #look(track: SourceTrackFigures): void {
    const before = this.#last.tracks.find(({ trackId }) => trackId === track.trackId)
    const { frames = 0, undecodableFrames = 0 } = before ?? {}
    if (track.frames > frames) this.#blind.delete(track.trackId)
    else if (!isVideoThatFlows(track)) return
    else if (track.keyframes === 0 || track.undecodableFrames > undecodableFrames) this.#blind.add(track.trackId)
  }
}

function isVideoThatFlows({ kind, packets }: SourceTrackFigures): boolean {
  return kind === 'video' && packets > 0
}
