/** Codecs whose packets can be told to begin a keyframe. Sound always does. */
export type ForwardCodec = 'h264' | 'h265' | 'vp8' | 'vp9' | 'av1' | 'audio'

/** Whether an RTP payload begins a frame at which decoding may start. Anything goes in; what cannot be read is none. */
export function beginsKeyframe(codec: ForwardCodec, payload: Uint8Array): boolean {
  switch (codec) {
    case 'audio':
      return true
    case 'h264':
      return beginsH264(payload)
    case 'h265':
      return beginsH265(payload)
    case 'vp8':
      return beginsVp8(payload)
    case 'vp9':
      return payload.length > 1 && (payload[0] & 0x48) === 0x08 && isVp9Base(payload) // B, and not P: RFC 9628 §4.2
    case 'av1':
      return payload.length > 1 && (payload[0] & 0x08) !== 0 // N, AV1 RTP §4.4
    default:
      return codec satisfies never
  }
}

/**
 * Whether nothing before this payload is needed to decode from it on. Of H.264 and HEVC not where a keyframe's first slice comes
 * alone: its parameter sets may have been sent before it.
 */
export function beginsStream(codec: ForwardCodec, payload: Uint8Array): boolean {
  if (codec === 'h264') return beginsKeyframe(codec, payload) && [7, 24].includes(payload[0] & 0x1f) // SPS, STAP-A
  if (codec === 'h265') return beginsKeyframe(codec, payload) && [32, 48].includes((payload[0] >> 1) & 0x3f) // VPS, AP
  return beginsKeyframe(codec, payload)
}

/** Parameter sets or an IDR slice, alone, in STAP-A or at the start of FU-A: RFC 6184 §5.6 to §5.8. */
function beginsH264(payload: Uint8Array): boolean {
  if (payload.length < 2) return false
  const type = payload[0] & 0x1f
  if (type === 28) return (payload[1] & 0x80) !== 0 && (payload[1] & 0x1f) === 5
  if (type !== 24) return type === 5 || type === 7
  for (let at = 1; at + 2 < payload.length; at += 2 + ((payload[at] << 8) | payload[at + 1])) {
    const inner = payload[at + 2] & 0x1f
    if (inner === 5 || inner === 7) return true
  }
  return false
}

/** Parameter sets or an IRAP picture, alone, in an aggregation packet or at the start of a fragment: RFC 7798 §4.4. */
function beginsH265(payload: Uint8Array): boolean {
  if (payload.length < 3) return false
  const type = (payload[0] >> 1) & 0x3f
  if (type === 49) return (payload[2] & 0x80) !== 0 && isIrap(payload[2] & 0x3f)
  if (type !== 48) return isIrap(type)
  for (let at = 2; at + 2 < payload.length; at += 2 + ((payload[at] << 8) | payload[at + 1])) {
    if (isIrap((payload[at + 2] >> 1) & 0x3f)) return true
  }
  return false
}

/** IRAP pictures, and VPS and SPS before them: H.265 §7.4.2.2. */
function isIrap(type: number): boolean {
  return (type >= 16 && type <= 23) || type === 32 || type === 33
}

/** RFC 7741 §4.2 and §4.3. */
function beginsVp8(payload: Uint8Array): boolean {
  if (payload.length < 2 || (payload[0] & 0x17) !== 0x10) return false // S, and partition 0
  let at = 1
  if ((payload[0] & 0x80) !== 0) {
    const extended = payload[at++]
    if ((extended & 0x80) !== 0) at += payload[at] >= 0x80 ? 2 : 1
    if ((extended & 0x40) !== 0) at++
    if ((extended & 0x30) !== 0) at++
  }
  return at < payload.length && (payload[at] & 1) === 0
}

/** Spatial layer 0: RFC 9628 §4.2. */
function isVp9Base(payload: Uint8Array): boolean {
  if ((payload[0] & 0x20) === 0) return true
  let at = 1
  if ((payload[0] & 0x80) !== 0) at += payload[at] >= 0x80 ? 2 : 1
  return at < payload.length && (payload[at] & 0x0e) === 0
}
