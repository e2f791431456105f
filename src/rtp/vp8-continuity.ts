/** Where a VP8 payload descriptor has what counts frames, RFC 7741 §4.2; -1 where it is not. */
type Fields = { pictureIdAt: number; isLong: boolean; tl0At: number }

/**
 * Keeps PictureID and TL0PICIDX of what one watcher gets counting on, when it is given another layer (RFC 7741 §4.2: a decoder
 * takes a jump for loss).
 */
export class Vp8Continuity {
  readonly #fields: Fields = { pictureIdAt: -1, isLong: false, tl0At: -1 }
  #lastPictureId = -1
  #lastTl0 = -1

  /** What is to be added to the counters of a source that begins with `payload`. */
  begin(payload: Uint8Array): { pictureId: number; tl0: number } {
    const { pictureIdAt, tl0At } = this.#find(payload, 0)
    return {
      pictureId: pictureIdAt < 0 || this.#lastPictureId < 0 ? 0 : this.#lastPictureId + 1 - this.#pictureId(payload),
      tl0: tl0At < 0 || this.#lastTl0 < 0 ? 0 : this.#lastTl0 + 1 - payload[tl0At],
    }
  }

  /** Rewrites the payload that begins at `at`. */
  rewrite(bytes: Uint8Array, at: number, add: { pictureId: number; tl0: number }, isNew: boolean): void {
    const { pictureIdAt, isLong, tl0At } = this.#find(bytes, at)
    if (pictureIdAt >= 0) {
      const pictureId = (this.#pictureId(bytes) + add.pictureId) & (isLong ? 0x7fff : 0x7f)
      if (isLong) bytes[pictureIdAt] = 0x80 | (pictureId >> 8)
      bytes[pictureIdAt + (isLong ? 1 : 0)] = pictureId
      if (isNew) this.#lastPictureId = pictureId
    }
    if (tl0At < 0) return
    bytes[tl0At] += add.tl0
    if (isNew) this.#lastTl0 = bytes[tl0At]
  }

  #pictureId(bytes: Uint8Array): number {
    const { pictureIdAt, isLong } = this.#fields
    return isLong ? ((bytes[pictureIdAt] & 0x7f) << 8) | bytes[pictureIdAt + 1] : bytes[pictureIdAt]
  }

  #find(bytes: Uint8Array, from: number): Fields {
    const fields = this.#fields
    fields.pictureIdAt = fields.tl0At = -1
    if (bytes.length < from + 2 || (bytes[from] & 0x80) === 0) return fields
    const extended = bytes[from + 1]
    let at = from + 2
    if ((extended & 0x80) !== 0 && at < bytes.length) {
      fields.isLong = bytes[at] >= 0x80
      if (at + (fields.isLong ? 2 : 1) > bytes.length) return fields
      fields.pictureIdAt = at
      at += fields.isLong ? 2 : 1
    }
    if ((extended & 0x40) !== 0 && at < bytes.length) fields.tl0At = at
    return fields
  }
}
