import type { SentTag } from './paced-publisher.ts'
import { RtmpWire } from './rtmp-wire.ts'

interface Arrival {
  readonly atMs: number
  readonly body: Buffer
}

/** Somebody who watches a stream live and notes when each picture came. */
export class LivePlayer {
  readonly #wire: RtmpWire
  readonly #videos: Arrival[] = []
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

  /** Resolves when the last picture of `sent` has come. */
  async came(sent: readonly SentTag[]): Promise<void> {
    const last = sent.findLast(({ type }) => type === 9)
    while (last !== undefined && this.#videos.at(-1)?.body.equals(last.body) !== true) {
      if (this.#wire.closed) throw new Error('the player was cut off')
      await new Promise<void>((resolve) => {
        this.#onPicture = resolve
      })
    }
  }

  stop(): void {
    this.#wire.destroy()
  }

  /**
   * How late the pictures came that were sent from `fromMs` to `toMs` (`performance.now`), ms, least first.
   * Throws when one of them did not come, or came out of order or changed.
   */
  latenciesMs(sent: readonly SentTag[], fromMs: number, toMs: number): number[] {
    const pictures = sent.filter(({ type }) => type === 9)
    const latencies: number[] = []
    let at = pictures.findIndex(({ body }) => body.equals(this.#videos[0]?.body ?? body))
    for (const { body, atMs } of this.#videos) {
      const picture = pictures[at++]
      if (picture === undefined || !picture.body.equals(body)) throw new Error(`picture ${at} is missing, or changed`)
      if (picture.atMs >= fromMs && picture.atMs <= toMs) latencies.push(atMs - picture.atMs)
    }
    if (at < pictures.length && pictures[at].atMs <= toMs) throw new Error(`pictures from ${at} on did not come`)
    return latencies.sort((a, b) => a - b)
  }

  async #follow(): Promise<void> {
    const { received } = this.#wire
    for (let next = received.length; ; next++) {
      try {
        const { type, payload } = await this.#wire.until(() => true, next)
        if (type !== 9 || payload[1] !== 1) continue
        this.#videos.push({ atMs: performance.now(), body: payload })
        this.#onPicture?.()
      } catch {
        this.#onPicture?.()
        return // closed
      }
    }
  }
}
