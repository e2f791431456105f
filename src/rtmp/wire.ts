/** Constants of the wire: "Adobe RTMP Specification 1.0", 2012. Paragraphs are of that document. */

/** Message types. */
export const MESSAGE = {
  SET_CHUNK_SIZE: 1, // §5.4.1
  ABORT: 2, // §5.4.2
  ACKNOWLEDGEMENT: 3, // §5.4.3
  USER_CONTROL: 4, // §6.2
  WINDOW_ACKNOWLEDGEMENT_SIZE: 5, // §5.4.4
  SET_PEER_BANDWIDTH: 6, // §5.4.5
  AUDIO: 8, // §7.1.4
  VIDEO: 9, // §7.1.5
  DATA_AMF3: 15, // §7.1.2
  COMMAND_AMF3: 17, // §7.1.1
  DATA_AMF0: 18, // §7.1.2
  COMMAND_AMF0: 20, // §7.1.1
  AGGREGATE: 22, // §7.1.6
} as const

/** Events of a user control message (§7.1.7). */
export const USER_CONTROL = {
  STREAM_BEGIN: 0,
  STREAM_EOF: 1,
  STREAM_DRY: 2,
  SET_BUFFER_LENGTH: 3,
  STREAM_IS_RECORDED: 4,
  PING_REQUEST: 6,
  PING_RESPONSE: 7,
} as const

/** Chunk streams that our side sends on; all of one byte, as some peers read no others. */
export const CHUNK_STREAM = {
  CONTROL: 2, // §5.3.1.1: reserved for protocol control
  COMMAND: 3,
  AUDIO: 4,
  STATUS: 5,
  VIDEO: 6,
  DATA: 7,
} as const

/** Until the peer says otherwise, bytes, §5.4.1. */
export const DEFAULT_CHUNK_SIZE = 128
/** No message can be longer, so no chunk needs to be, bytes, §5.4.1. */
export const MAX_CHUNK_SIZE = 0xffffff
/** Largest message that the 24-bit length field can state, bytes, §5.3.1.2. */
export const MAX_MESSAGE_BYTES = 0xffffff
/** A 24-bit timestamp of this value means: the real one follows in 32 bits, §5.3.1.3. */
export const EXTENDED_TIMESTAMP = 0xffffff
/**
 * What our side announces, bytes: one chunk for nearly every message, and the most that Flash Player took. librtmp and
 * GStreamer read any size; ffmpeg answers with the same size for what it publishes, which makes reading cheap.
 */
export const OWN_CHUNK_SIZE = 65_536
/** What our side asks to be acknowledged, and acknowledges unasked, bytes, §5.4.4. The value that Adobe's servers use. */
export const OWN_WINDOW_BYTES = 2_500_000
