import { ByteWriter } from '../../media/bytes.ts'
import { LimitError } from '../../media/errors.ts'
import type { ByteSink } from '../../media/ports.ts'
import { writeFree } from './box-writer.ts'

/** Room kept behind the first header for what comes late: about ten tracks or sample entries. */
const RESERVE_BYTES = 4096
/** A box has at least its header */
const MIN_FREE_BYTES = 8

/** The place in the file where the header of the fragments stands, with room to rewrite it in one stroke. */
export class InitRegion {
  readonly #out: ByteSink
  #offset = 0
  #sizeBytes = 0

  constructor(out: ByteSink) {
    this.#out = out
  }

  get isWritten(): boolean {
    return this.#sizeBytes > 0
  }

  /** Whether a header of `sizeBytes` can be put. */
  fits(sizeBytes: number): boolean {
    return !this.isWritten || sizeBytes === this.#sizeBytes || sizeBytes <= this.#sizeBytes - MIN_FREE_BYTES
  }

  /**
   * Appends the first header, with room for one of `expectedBytes` and the reserve; afterwards replaces it.
   * @throws LimitError when it does not fit; what `fits` agreed to does
   */
  put(moov: Uint8Array, expectedBytes: number): void {
    if (!this.fits(moov.length)) {
      throw new LimitError('mp4 header, bytes', { limit: this.#sizeBytes, asked: moov.length })
    }
    const isFirst = !this.isWritten
    if (isFirst) {
      this.#offset = this.#out.position
      this.#sizeBytes = Math.max(moov.length, expectedBytes) + RESERVE_BYTES
    }
    const region = new ByteWriter(this.#sizeBytes)
    region.put(moov)
    if (moov.length < this.#sizeBytes) writeFree(region, this.#sizeBytes - moov.length)
    if (isFirst) this.#out.write(region.view())
    else this.#out.patch(this.#offset, region.view())
  }
}
