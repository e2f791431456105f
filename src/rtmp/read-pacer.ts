import type { ByteConsumer, ByteSource } from './byte-source.ts'

/** How a connection wants to be read now: as data comes, gathered for `…Ms`, or not at all. */
export type Appetite = 'now' | 'gather' | 'gather-live' | 'nothing'

/** What is read, and how. */
export interface PacedConsumer extends ByteConsumer {
  /** Asked after every read and at every tick. */
  readonly appetite: Appetite
}

/** The grid of all waiting, ms. Connections fall on different ticks, so that their work spreads. */
const TICK_MS = 20
/** Between reads of a publisher that nobody watches, ms: each read costs the same, whatever it brings. */
const GATHER_MS = 100
/** More than this in one interval, bytes: whoever sends so fast is read as data comes, so that TCP never waits for us. */
const FAST_BYTES = 256 * 1024

/** Of one last reading; a publisher that sends on and on is cut off somewhere. */
const MAX_DRAIN_POLLS = 16

/** Reads many connections, each no more often than it needs. One timer for all of them, and none when nothing waits. */
export class ReadPacer {
  readonly #liveReadMs: number
  readonly #waiting = new Set<PacedReader>()
  #timer: NodeJS.Timeout | undefined

  /** `liveReadMs`: between reads of a publisher that is watched. */
  constructor(liveReadMs: number) {
    this.#liveReadMs = liveReadMs
  }

  /** A consumer for the source of a new connection; `attach` it to that source, then it passes everything on to `consumer`. */
  reader(consumer: PacedConsumer): PacedReader {
    return new PacedReader(this, consumer)
  }

  /** For readers: between reads, ms. */
  intervalMs(appetite: Appetite): number {
    if (appetite === 'gather') return GATHER_MS
    return appetite === 'gather-live' ? this.#liveReadMs : TICK_MS
  }

  /** For readers: be told of every tick. */
  add(reader: PacedReader): void {
    this.#waiting.add(reader)
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS)
  }

  /** For readers. */
  remove(reader: PacedReader): void {
    this.#waiting.delete(reader)
    if (this.#waiting.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #tick(): void {
    const nowMs = performance.now()
    for (const reader of this.#waiting) reader.tick(nowMs)
  }
}

/** One connection's place with the pacer. */
export class PacedReader implements ByteConsumer {
  readonly #pacer: ReadPacer
  readonly #consumer: PacedConsumer
  #source: ByteSource | undefined
  /** `flowing`: by the operating system's word. `fast`: the same, but watched by the pacer. `waiting`: only at its ticks. */
  #mode: 'flowing' | 'fast' | 'waiting' | 'ended' = 'flowing'
  #dueMs = 0
  #gotBytes = 0

  constructor(pacer: ReadPacer, consumer: PacedConsumer) {
    this.#pacer = pacer
    this.#consumer = consumer
  }

  attach(source: ByteSource): void {
    this.#source = source
  }

  bytes(bytes: Buffer, length: number): void {
    this.#gotBytes += length
    this.#consumer.bytes(bytes, length)
    if (this.#mode === 'waiting' || this.#mode === 'ended') return
    const appetite = this.#consumer.appetite
    if (this.#mode === 'flowing' ? appetite !== 'now' : appetite === 'nothing') this.#wait(appetite)
  }

  ended(error: Error | undefined): void {
    this.#mode = 'ended'
    this.#pacer.remove(this)
    this.#consumer.ended(error)
  }

  /** The consumer's appetite may have come back: need not wait for the next tick. */
  wake(): void {
    if (this.#mode === 'waiting' && this.#consumer.appetite === 'now') this.#flow('flowing')
  }

  /** Takes what has come by now, unless the consumer is held. */
  drain(): void {
    for (let polls = 0; polls < MAX_DRAIN_POLLS; polls++) {
      const before = this.#gotBytes
      if (this.#mode === 'waiting' && this.#consumer.appetite !== 'nothing') this.#source?.poll()
      if (this.#gotBytes === before) return
    }
  }

  /** For the pacer. */
  tick(nowMs: number): void {
    if (nowMs < this.#dueMs) return
    const appetite = this.#consumer.appetite
    this.#dueMs = nowMs + this.#pacer.intervalMs(appetite) - TICK_MS / 2
    const gotBytes = this.#gotBytes
    this.#gotBytes = 0
    if (appetite === 'now') this.#flow('flowing')
    else if (appetite === 'nothing') this.#source?.halt()
    else if (gotBytes >= FAST_BYTES) this.#flow('fast')
    else if (this.#mode === 'fast') this.#wait(appetite)
    else this.#poll()
  }

  #poll(): void {
    this.#source?.poll()
    if (this.#gotBytes >= FAST_BYTES && this.#consumer.appetite !== 'nothing') this.#flow('fast')
  }

  #wait(appetite: Appetite): void {
    if (this.#mode === 'ended') return
    this.#source?.halt()
    this.#mode = 'waiting'
    this.#gotBytes = 0
    this.#dueMs = performance.now() + this.#pacer.intervalMs(appetite) - TICK_MS / 2
    this.#pacer.add(this)
  }

  #flow(mode: 'flowing' | 'fast'): void {
    if (this.#mode === 'ended') return
    this.#mode = mode
    if (mode === 'flowing') this.#pacer.remove(this)
    this.#source?.flow()
  }
}
