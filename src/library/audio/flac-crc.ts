function table(polynomial: number, bits: number): Uint16Array {
  const top = 1 << (bits - 1)
  const mask = (1 << bits) - 1
  return Uint16Array.from({ length: 256 }, (_, byte) => {
    let crc = byte << (bits - 8)
    for (let i = 0; i < 8; i++) crc = (crc & top ? (crc << 1) ^ polynomial : crc << 1) & mask
    return crc
  })
}

/** Frame headers: x⁸ + x² + x + 1, RFC 9639 §9.1.8. */
export const crc8Table = table(0x07, 8)
/** Whole frames: x¹⁶ + x¹⁵ + x² + 1, RFC 9639 §9.3. */
export const crc16Table = table(0x8005, 16)
