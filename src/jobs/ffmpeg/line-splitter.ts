/** Lines of ffmpeg and ffprobe are short; what is longer is cut, bytes. */
const MAX_LINE_BYTES = 64 * 1024

/** Cuts a stream of bytes into lines, holding at most one unfinished line of 64 KiB. */
export class LineSplitter {
  readonly #onLine: (line: string) => void
  #rest: Buffer = Buffer.alloc(0)

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine
  }

  push(bytes: Buffer): void {
    const all = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes])
    let from = 0
    for (let at = all.indexOf(10); at >= 0; at = all.indexOf(10, from)) {
      this.#onLine(all.toString('utf8', from, at))
      from = at + 1
    }
    this.#rest = all.subarray(from, from + MAX_LINE_BYTES)
  }

  end(): void {
    if (this.#rest.length > 0) this.#onLine(this.#rest.toString('utf8'))
    this.#rest = Buffer.alloc(0)
  }
}
