/** The file descriptor of the link in the media process. */
export const LINK_FD = 3
/** Before each message: length of the body (u32), type (u8), flags (u8), two bytes of nothing; all little-endian. */
export const HEADER_BYTES = 8
/** Further in front of a frame: session (u32), track (u32), dts (f64), pts (f64); counts as part of the body. */
export const FRAME_FIELDS_BYTES = 24
/** Types of messages. */
export const TYPE = {
  /** JSON. */
  CONTROL: 1,
  /** One frame. */
  FRAME: 2,
  /** The end of what was gathered for one write. */
  FLUSH: 3,
} as const
/** A flag of frames: decoding may start there. */
export const KEY_FLAG = 1
/** A session description may be 64 KB, the figures of many tracks likewise, bytes. */
export const MAX_CONTROL_BYTES = 1024 * 1024
/** As RTMP's largest message, bytes. */
export const MAX_FRAME_BYTES = 16 * 1024 * 1024
