import { EbmlWriter } from '../../../src/container/matroska/ebml.ts'
import * as E from '../../../src/container/matroska/elements.ts'

/** One child of a Cluster, Segment or header, ready to be put there. */
export type Piece = (out: EbmlWriter) => void

/** A block's content: track number, timestamp relative to its Cluster, flags, payload. */
export function blockBytes(track: number, relative: number, flags: number, payload: ArrayLike<number>): Uint8Array {
  return Uint8Array.from([0x80 | track, (relative >> 8) & 0xff, relative & 0xff, flags, ...Array.from(payload)])
}

export const simpleBlock =
  (track: number, relative: number, flags: number, payload: ArrayLike<number>): Piece =>
  (out) =>
    out.binary(E.SIMPLE_BLOCK, blockBytes(track, relative, flags, payload))

/** With Void and CRC-32 in between, which may stand in each element. */
export const blockGroup =
  (block: Uint8Array, options: { reference?: boolean; duration?: number } = {}): Piece =>
  (out) =>
    out.master(E.BLOCK_GROUP, (group) => {
      group.binary(E.CRC_32, new Uint8Array(4)).binary(E.BLOCK, block).binary(E.VOID, new Uint8Array(3))
      if (options.duration !== undefined) group.uint(E.BLOCK_DURATION, options.duration)
      if (options.reference) group.binary(E.REFERENCE_BLOCK, Uint8Array.of(0xd8))
    })

/** A Cluster with a stated size. */
export const cluster =
  (timestamp: number, ...children: Piece[]): Piece =>
  (out) =>
    out.master(E.CLUSTER, (inside) => {
      inside.binary(E.CRC_32, new Uint8Array(4)).uint(E.TIMESTAMP, timestamp)
      for (const child of children) child(inside)
    })

/** A Cluster without one, with a size field of one byte. */
export const openCluster =
  (timestamp: number, ...children: Piece[]): Piece =>
  (out) => {
    out.raw(Uint8Array.of(0x1f, 0x43, 0xb6, 0x75, 0xff)).uint(E.TIMESTAMP, timestamp)
    for (const child of children) child(out)
  }

export const info: Piece = (out) =>
  out.master(E.INFO, (inside) => inside.uint(E.TIMESTAMP_SCALE, 1_000_000).text(E.MUXING_APP, 'somebody else'))

/** Track 1: VP8 pictures; track 2: 16-bit PCM at 8 kHz, 20 ms a frame; `extra` goes into both entries. */
export const tracks =
  (extra: Piece = () => {}, frameNs = 20_000_000): Piece =>
  (out) =>
    out.master(E.TRACKS, (entries) => {
      entries.binary(E.VOID, new Uint8Array(7))
      entries.master(E.TRACK_ENTRY, (entry) => {
        entry.uint(E.TRACK_NUMBER, 1).uint(E.TRACK_UID, 77).uint(E.TRACK_TYPE, 1).text(E.CODEC_ID, 'V_VP8')
        entry.master(E.VIDEO, (video) => video.uint(E.PIXEL_WIDTH, 320).uint(E.PIXEL_HEIGHT, 240))
        extra(entry)
      })
      entries.master(E.TRACK_ENTRY, (entry) => {
        entry.uint(E.TRACK_NUMBER, 2).uint(E.TRACK_UID, 78).uint(E.TRACK_TYPE, 2).text(E.CODEC_ID, 'A_PCM/INT/LIT')
        if (frameNs > 0) entry.uint(E.DEFAULT_DURATION, frameNs)
        entry.master(E.AUDIO, (audio) => audio.float(E.SAMPLING_FREQUENCY, 8000).uint(E.BIT_DEPTH, 16))
        extra(entry)
      })
    })

/** A file of somebody else: Segment with a stated size, or without one. */
export function foreignFile(
  parts: readonly Piece[],
  options: { sized?: boolean; docType?: string } = {},
): Uint8Array<ArrayBufferLike> {
  const out = new EbmlWriter()
  out.master(E.EBML, (header) => header.text(E.DOC_TYPE, options.docType ?? 'matroska'))
  const inside = new EbmlWriter()
  for (const part of parts) part(inside)
  if (options.sized) out.binary(E.SEGMENT, inside.view())
  else out.raw(Uint8Array.of(0x18, 0x53, 0x80, 0x67, 0xff)).raw(inside.view())
  return out.done()
}
