import type { PacketSink } from './packet-sink.ts'

/** Packets of one encoding, in order, to access units. Hostile payloads are counted and left out, never thrown over. */
export interface Depacketizer extends PacketSink {
  /** Payloads that could not be read. */
  readonly malformed: number
  /** The end: a unit that is complete but for its marker is given out. */
  flush(): void
}
