import type { Frame } from '../../src/media/frame.ts'
import type { ChecklistLine, MediaLoss } from '../../src/media/source-report.ts'
import type { Track } from '../../src/media/track.ts'
import type { PublishSink, SessionEnd, SessionFigures } from '../../src/webrtc/engine.ts'

/** A frame whose bytes are its own. */
export interface KeptFrame {
  readonly track: Track
  readonly dts: number
  readonly pts: number
  readonly key: boolean
  readonly data: Buffer
}

/** Keeps everything that a session says, and notices what must not be. */
export class KeepingSink implements PublishSink {
  readonly lines: ChecklistLine[] = []
  readonly tracks: Track[] = []
  readonly frames: KeptFrame[] = []
  readonly losses: MediaLoss[] = []
  readonly ends: SessionEnd[] = []
  last: SessionFigures | undefined
  flushes = 0

  met(line: ChecklistLine): void {
    this.#isNotOver()
    if (this.lines.includes(line)) throw new Error(`${line} is met for the second time`)
    this.lines.push(line)
  }
  figures(figures: SessionFigures): void {
    this.#isNotOver()
    this.last = figures
  }
  track(track: Track): void {
    this.#isNotOver()
    this.tracks.push(track)
  }
  frame({ track, dts, pts, key, data }: Frame): void {
    this.#isNotOver()
    if (!this.tracks.includes(track)) throw new Error('a frame of a track that was not told')
    const before = this.framesOf(track.id).at(-1)
    if (before !== undefined && before.dts >= dts) throw new Error(`time goes back: ${before.dts} → ${dts}`)
    this.frames.push({ track, dts, pts, key, data: Buffer.from(data) })
  }
  flush(): void {
    this.flushes++
  }
  loss(loss: MediaLoss): void {
    this.#isNotOver()
    this.losses.push(loss)
  }
  end(end: SessionEnd): void {
    this.#isNotOver()
    this.ends.push(end)
  }

  framesOf(trackId: number): KeptFrame[] {
    return this.frames.filter(({ track }) => track.id === trackId)
  }

  #isNotOver(): void {
    if (this.ends.length > 0) throw new Error('said after the end')
  }
}
