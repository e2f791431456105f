import { readFileSync } from 'node:fs'
import { RtmpWire } from './rtmp-wire.ts'

/** One tag of an FLV file, as an RTMP message carries it. Adobe FLV v10.1 §E.4. */
export interface FlvTag {
  readonly type: number
  readonly timestampMs: number
  readonly body: Buffer
}

/** A tag on its way. */
export interface SentTag extends FlvTag {
  /** When it was handed to the socket, as `performance.now` has it. */
  readonly atMs: number
}

const known = new Map<string, readonly FlvTag[]>()

/** All audio, video and script tags of an FLV file, read once. Written apart from src/container, so as to prove it. */
export function flvTags(path: string): readonly FlvTag[] {
  const tags = known.get(path) ?? readTags(path)
  known.set(path, tags)
  return tags
}

function readTags(path: string): FlvTag[] {
  const file = readFileSync(path)
  const tags: FlvTag[] = []
  for (let at = file.readUInt32BE(5) + 4; at + 11 <= file.length; ) {
    const size = file.readUIntBE(at + 1, 3)
    const timestampMs = file.readUIntBE(at + 4, 3) + file[at + 7] * 2 ** 24
    tags.push({ type: file[at] & 0x1f, timestampMs, body: file.subarray(at + 11, at + 11 + size) })
    at += 11 + size + 4
  }
  return tags
}

const isVideo = ({ type }: FlvTag) => type === 9
const isMedia = ({ type, body }: FlvTag) => (type === 8 && body[1] === 1) || (type === 9 && body[1] === 1)

/** Publishes the tags of an FLV file in real time, over and over, and knows what it has sent. */
export class PacedPublisher {
  /** All media in the order in which it was handed to the socket, at its time in the stream. */
  readonly sent: SentTag[] = []
  readonly #wire: RtmpWire
  readonly #tags: readonly FlvTag[]
  readonly #periodMs: number
  /** When its time 0 was, as `performance.now` has it. */
  readonly startedAtMs = performance.now()
  #next = 0
  #timer: NodeJS.Timeout
  /** Of the last video message handed to the socket, ms of media from 0. */
  lastVideoMs = 0

  private constructor(wire: RtmpWire, tags: readonly FlvTag[]) {
    this.#wire = wire
    const media = tags.filter(isMedia)
    for (const tag of tags.filter((tag) => !isMedia(tag) && tag.type !== 18 && tag.body[1] === 0)) this.#send(tag, 0)
    this.#tags = media
    const videos = media.filter(isVideo)
    this.#periodMs = videos[videos.length - 1].timestampMs + (videos[1].timestampMs - videos[0].timestampMs)
    this.#timer = setInterval(() => this.#pump(), 10)
  }

  static async start(port: number, app: string, name: string, path: string): Promise<PacedPublisher> {
    const wire = await RtmpWire.open(port)
    wire.setChunkSize(4096)
    await wire.app(app)
    await wire.publish(name)
    return new PacedPublisher(wire, flvTags(path))
  }

  get closed(): boolean {
    return this.#wire.closed
  }

  /** Stops sending and cuts the connection. */
  stop(): void {
    clearInterval(this.#timer)
    this.#wire.socket.destroy()
  }

  /** Stops sending and says goodbye properly. */
  async finish(): Promise<void> {
    clearInterval(this.#timer)
    await this.#wire.end()
  }

  #pump(): void {
    const nowMs = performance.now() - this.startedAtMs
    for (;;) {
      const offsetMs = Math.floor(this.#next / this.#tags.length) * this.#periodMs
      const tag = this.#tags[this.#next % this.#tags.length]
      if (offsetMs + tag.timestampMs > nowMs || this.#wire.closed) return
      this.#send(tag, offsetMs)
      this.sent.push({ ...tag, timestampMs: tag.timestampMs + offsetMs, atMs: performance.now() })
      if (isVideo(tag)) this.lastVideoMs = offsetMs + tag.timestampMs
      this.#next++
    }
  }

  #send({ type, timestampMs, body }: FlvTag, offsetMs: number): void {
    if (type === 9) this.#wire.video(timestampMs + offsetMs, body)
    else this.#wire.audio(timestampMs + offsetMs, body)
  }
}
