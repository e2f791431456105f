import type { SentTag } from './paced-publisher.ts'
import { RtmpWire } from './rtmp-wire.ts'

/** Somebody who watches a stream live and keeps each picture that came. */
export class LivePlayer {
  readonly #wire: RtmpWire
  readonly #videos: Buffer[] = []
  #onPicture: (() => void) | undefined

  private constructor(wire: RtmpWire) {
    this.#wire = wire
    void this.#follow()
  }

  static async start(port: number, app: string, name: string): Promise<LivePlayer> {
    const wire = await RtmpWire.open(port)
    await wire.app(app)
    await wire.play(name)
    return new LivePlayer(wire)
  }

  /** Resolves when the last picture of `sent`, as it is now, has come. Throws when it does not within `deadlineMs`. */
  async came(sent: readonly SentTag[], deadlineMs = 30_000): Promise<void> {
    const last = sent.findLast(({ type }) => type === 9)
    if (last === undefined) return
    const timer = setTimeout(() => this.#wire.destroy(), deadlineMs)
    for (let seen = 0; ; ) {
      while (seen < this.#videos.length) {
        if (!this.#videos[seen++].equals(last.body)) continue
        clearTimeout(timer)
        return
      }
      if (this.#wire.closed) throw new Error('a picture did not come to the player, or it was cut off')
      await new Promise<void>((resolve) => {
        this.#onPicture = resolve
      })
    }
  }

  stop(): void {
    this.#wire.destroy()
  }

  /** How many pictures came. Throws when one of `sent` since the first that came is missing, out of order or changed. */
  demandWhole(sent: readonly SentTag[]): number {
    const pictures = sent.filter(({ type }) => type === 9)
    const [first] = this.#videos
    let at = first === undefined ? 0 : pictures.findIndex(({ body }) => body.equals(first))
    for (const body of this.#videos) {
      if (pictures[at++]?.body.equals(body) !== true) throw new Error(`picture ${at} is missing, or changed`)
    }
    if (at < pictures.length) throw new Error(`pictures from ${at} on did not come`)
    return this.#videos.length
  }

  async #follow(): Promise<void> {
    const { received } = this.#wire
    for (let next = received.length; ; next++) {
      try {
        const { type, payload } = await this.#wire.until(() => true, next)
        if (type !== 9 || payload[1] !== 1) continue
        this.#videos.push(payload)
        this.#onPicture?.()
      } catch {
        this.#onPicture?.()
        return // closed
      }
    }
  }
}
