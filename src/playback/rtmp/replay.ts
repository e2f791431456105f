import type { LiveStream } from '../../live/stream.ts'
import type { Subscriber } from '../../live/subscriber.ts'
import { toMs } from '../../media/clock.ts'
import type { Frame } from '../../media/frame.ts'
import { type BatchForm, BatchWriter, type TrackIdOf } from './batch.ts'
import { writeSetup } from './setup.ts'

/**
 * The stream from its last keyframe up to now, setup first, in chunks; undefined where there is no keyframe to begin with.
 * Everything happens within the call, so what the stream brings next follows without gap or repetition.
 */
export function replayOf(stream: LiveStream, form: BatchForm, trackIdOf: TrackIdOf): Uint8Array | undefined {
  const replay = new Replay(stream, form, trackIdOf)
  stream.subscribe(replay, { fromKeyframe: true }).close()
  return replay.bytes
}

class Replay implements Subscriber {
  readonly kind = 'player'
  readonly #stream: LiveStream
  readonly #writer: BatchWriter
  readonly #trackIdOf: TrackIdOf
  /** Tracks that have come to a keyframe. Those beside the leading one may be in the middle of a GOP of theirs. */
  readonly #started = new Set<number>()

  constructor(stream: LiveStream, form: BatchForm, trackIdOf: TrackIdOf) {
    this.#stream = stream
    this.#trackIdOf = trackIdOf
    this.#writer = new BatchWriter(form, Math.max(4096, Math.ceil(stream.gopBytes * 1.02)))
  }

  get bytes(): Uint8Array | undefined {
    return this.#started.size > 0 ? this.#writer.bytes : undefined
  }

  track(): void {}

  frame(frame: Frame): void {
    const trackId = this.#trackIdOf(frame.track)
    if (trackId < 0) return
    const { track } = frame
    if (!this.#started.has(track.id)) {
      const first = this.#started.size === 0
      if (!frame.key || (first && track.kind !== 'video')) return
      this.#started.add(track.id)
      if (first) writeSetup(this.#writer, this.#stream, this.#trackIdOf, toMs(frame.dts, track.timescale))
    }
    this.#writer.frame(frame, trackId, false)
  }

  flush(): void {}
  end(): void {}
}
