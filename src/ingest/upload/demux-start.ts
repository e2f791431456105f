import type { Sample } from '../../container/reader.ts'

/** A sample of an upload, and where to begin if it is to be read again. */
export interface UploadSample extends Sample {
  /** Of its Cluster or fragment. */
  readonly unitOffset: number
}

/** Where reading begins. */
export interface DemuxStart {
  /** Of a Cluster or fragment; 0 for the beginning. */
  readonly unitOffset: number
  /** How long the header is, once that is known: everything before the first Cluster or fragment. */
  onHeader(headerBytes: number): void
}
