import { EbmlWriter, putSize, sizeLength } from './ebml.ts'
import * as E from './elements.ts'

/** A BlockGroup (RFC 9559 §5.1.3.5) around a picture and its alpha channel, in the pieces that stand around them. */
export interface AlphaGroup {
  /** Up to the picture. */
  readonly head: Uint8Array
  /** Between the picture and its alpha channel. */
  readonly between: Uint8Array
  /** Behind both: which frame it refers to. Empty for keyframes. */
  readonly tail: Uint8Array
}

/** What there is to say of a picture with alpha. */
export interface AlphaPicture {
  /** TrackNumber, 1 to 126. */
  readonly number: number
  /** Since its Cluster. */
  readonly relativeMs: number
  /** From this picture to the one of the track before it, ms; undefined for keyframes. */
  readonly referenceMs: number | undefined
  readonly dataBytes: number
  readonly alphaBytes: number
}

const ALPHA_ID_ELEMENT = [E.BLOCK_ADD_ID, 0x81, 0x01] // BlockAddID 1

/** The elements around a picture with alpha, as the WebM guidelines have them: BlockAdditional 1 is the alpha channel. */
export function alphaGroup(picture: AlphaPicture): AlphaGroup {
  const { number, relativeMs, referenceMs, dataBytes, alphaBytes } = picture
  const tail = referenceMs === undefined ? new Uint8Array(0) : reference(referenceMs)
  const additional = header([E.BLOCK_ADDITIONAL], alphaBytes)
  const moreBytes = ALPHA_ID_ELEMENT.length + additional.length + alphaBytes
  const more = header([E.BLOCK_MORE], moreBytes)
  const additions = header([0x75, 0xa1], more.length + moreBytes)
  const between = Uint8Array.from([...additions, ...more, ...ALPHA_ID_ELEMENT, ...additional])
  const block = [...header([E.BLOCK], dataBytes + 4), 0x80 | number, (relativeMs >> 8) & 0xff, relativeMs & 0xff, 0]
  const bytes = block.length + dataBytes + between.length + alphaBytes + tail.length
  return { head: Uint8Array.from([...header([E.BLOCK_GROUP], bytes), ...block]), between, tail }
}

function header(id: readonly number[], size: number): Uint8Array {
  const length = sizeLength(size)
  const bytes = new Uint8Array(id.length + length)
  bytes.set(id)
  putSize(bytes, id.length, size, length)
  return bytes
}

/** ReferenceBlock (§5.1.3.5.5), signed, 32 bits: more than any two pictures of a track are apart. */
function reference(ms: number): Uint8Array {
  const value = new Uint8Array(4)
  new DataView(value.buffer).setInt32(0, Math.max(-(2 ** 31), ms))
  return new EbmlWriter().binary(E.REFERENCE_BLOCK, value).done()
}
