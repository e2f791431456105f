import { createHash } from 'node:crypto'
import { toMs } from '../../media/clock.ts'
import type { Frame } from '../../media/frame.ts'
import type { ReplayedFrame } from '../../media/replay.ts'
import type { UploadStream } from './upload-reading.ts'

/** Frames that are noted: ten seconds of any picture and sound have fewer. */
const MAX_FRAMES = 4096
/** And no more than these, bytes. */
const MAX_BYTES = 64 * 1024 * 1024

/** Takes an upload in place of a stream, and notes what its frames are. */
export class ReplayCollector implements UploadStream {
  readonly frames: ReplayedFrame[] = []
  readonly isBehind = false
  #bytes = 0
  #trackIds = 0
  /** It takes no more. */
  onFull: (() => void) | undefined

  track(): void {}
  flush(): void {}
  turn(): undefined {}
  rest(): void {}
  trackId(): number {
    return ++this.#trackIds
  }

  write({ track, pts, data }: Frame): void {
    if (this.frames.length >= MAX_FRAMES || this.#bytes >= MAX_BYTES) {
      this.onFull?.()
      return
    }
    this.#bytes += data.length
    const sha1 = createHash('sha1').update(data).digest('base64')
    this.frames.push({ kind: track.kind, ms: toMs(pts, track.timescale), sizeBytes: data.length, sha1 })
  }
}
