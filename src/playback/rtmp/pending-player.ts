import type { RtmpPlaySource } from '../../rtmp/handlers.ts'

/**
 * A player that was let in and joins its stream in the next turn of the event loop: by then the protocol has told it that
 * play starts, which media must not overtake.
 */
export class PendingPlayer implements RtmpPlaySource {
  readonly #immediate: NodeJS.Immediate
  #player: RtmpPlaySource | undefined
  #paused = false

  /** `join` must not throw. It returns nothing when there is nothing to join any more. */
  constructor(join: () => RtmpPlaySource | undefined) {
    this.#immediate = setImmediate(() => {
      this.#player = join()
      if (this.#paused) this.#player?.pause(true)
    })
  }

  pause(paused: boolean): void {
    this.#paused = paused
    this.#player?.pause(paused)
  }

  end(): void {
    clearImmediate(this.#immediate)
    this.#player?.end()
  }
}
