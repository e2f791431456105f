const NONE = -1

/** Reads PictureID (RFC 7741 §4.2, RFC 9628 §4.2): 7 or 15 bits. And knows whether one picture is the next after another. */
export class PictureIds {
  #last = NONE
  #lastNumber = 0
  #lastBase = NONE
  /** Of the current picture; -1 where there is none. */
  id = NONE
  isLong = false
  /** TL0PICIDX of the current picture; -1 where there is none. */
  base = NONE

  /** The picture begins anew. */
  clear(): void {
    this.id = this.base = NONE
  }

  /** Takes the identifier that begins at `at`; returns what lies behind it. */
  read(payload: Uint8Array, at: number): number {
    this.isLong = (payload[at] & 0x80) !== 0
    if (!this.isLong) {
      this.id = payload[at] & 0x7f
      return at + 1
    }
    this.id = ((payload[at] & 0x7f) << 8) | payload[at + 1]
    return at + 2
  }

  /** How many pictures lie between the last one and this one; -1 when that is not known. */
  get missing(): number {
    if (this.id < 0 || this.#last < 0) return NONE
    return (this.id - this.#last - 1) & (this.isLong ? 0x7fff : 0x7f)
  }

  /** Whether no base picture lies between the last one and this one, which is of `layer`; by TL0PICIDX. */
  isBaseWhole(layer: number): boolean {
    if (this.base < 0 || this.#lastBase < 0) return false
    return ((this.base - this.#lastBase) & 0xff) === (layer === 0 ? 1 : 0)
  }

  /** The identifier made endless, as long as fewer pictures are lost at once than there are identifiers. */
  get number(): number {
    return this.#last < 0 ? this.id + 0x8000 : this.#lastNumber + this.missing + 1
  }

  /** The picture is over, whole or torn. */
  remember(): void {
    this.#lastNumber = this.number
    this.#last = this.id
    this.#lastBase = this.base
  }
}
