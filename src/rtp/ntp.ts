const NTP_EPOCH_MS = 2_208_988_800_000 // 1900 to 1970, RFC 3550 §4
/** The middle 32 bits of a time: units to a second, RFC 3550 §6.4.1. */
const MIDDLE_HZ = 65_536
/** By so much a round trip may seem to be below 0: who is near rounds its delay to milliseconds. In `MIDDLE_HZ`. */
const ROUNDING = 0.01 * MIDDLE_HZ

/** A time of 64 bits at `at`, ms since 1900; of `bytes` there must be so many. */
export function readNtpMs(bytes: Uint8Array, at: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, 8)
  return view.getUint32(0) * 1000 + (view.getUint32(4) * 1000) / 2 ** 32
}

/** Our wall clock at a moment of `performance.now()`, ms since 1900. */
export function ntpMs(nowMs: number): number {
  return NTP_EPOCH_MS + performance.timeOrigin + nowMs
}

/** Its middle 32 bits. */
function ntpMiddle(nowMs: number): number {
  return Math.round((ntpMs(nowMs) * MIDDLE_HZ) / 1000) % 2 ** 32
}

/**
 * Round trip by what the other side heard of us: the middle of our time when we said it, how long ago the other side heard it (in
 * 1/65536 s). Undefined where there is nothing to go by, or it cannot be true.
 */
export function roundTripMs(lastMiddle: number, delay: number, nowMs: number): number | undefined {
  if (lastMiddle === 0) return undefined
  const units = (ntpMiddle(nowMs) - lastMiddle - delay) | 0
  return units < -ROUNDING ? undefined : (Math.max(0, units) * 1000) / MIDDLE_HZ
}
