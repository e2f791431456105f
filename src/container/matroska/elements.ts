/** Element IDs as they lie in the file, length marker included. EBML RFC 8794 §11, Matroska RFC 9559 §5.1. */

export const EBML = 0x1a45dfa3 // RFC 8794 §11.2.1
export const EBML_VERSION = 0x4286
export const EBML_READ_VERSION = 0x42f7
export const EBML_MAX_ID_LENGTH = 0x42f2
export const EBML_MAX_SIZE_LENGTH = 0x42f3
export const DOC_TYPE = 0x4282
export const DOC_TYPE_VERSION = 0x4287
export const DOC_TYPE_READ_VERSION = 0x4285
export const VOID = 0xec // RFC 8794 §11.3.2
export const CRC_32 = 0xbf // RFC 8794 §11.3.1

export const SEGMENT = 0x18538067 // RFC 9559 §5.1

export const SEEK_HEAD = 0x114d9b74 // §5.1.1
export const SEEK = 0x4dbb
export const SEEK_ID = 0x53ab
export const SEEK_POSITION = 0x53ac

export const INFO = 0x1549a966 // §5.1.2
export const TIMESTAMP_SCALE = 0x2ad7b1
export const DURATION = 0x4489
export const DATE_UTC = 0x4461
export const TITLE = 0x7ba9
export const MUXING_APP = 0x4d80
export const WRITING_APP = 0x5741

export const CLUSTER = 0x1f43b675 // §5.1.3
export const TIMESTAMP = 0xe7
export const SILENT_TRACKS = 0x5854
export const POSITION = 0xa7
export const PREV_SIZE = 0xab
export const SIMPLE_BLOCK = 0xa3 // §5.1.3.4
export const BLOCK_GROUP = 0xa0 // §5.1.3.5
export const BLOCK = 0xa1
export const BLOCK_DURATION = 0x9b
export const REFERENCE_BLOCK = 0xfb
export const BLOCK_ADDITIONS = 0x75a1 // §5.1.3.5.2
export const BLOCK_MORE = 0xa6
export const BLOCK_ADD_ID = 0xee
export const BLOCK_ADDITIONAL = 0xa5
export const ENCRYPTED_BLOCK = 0xaf

export const TRACKS = 0x1654ae6b // §5.1.4
export const TRACK_ENTRY = 0xae
export const TRACK_NUMBER = 0xd7
export const TRACK_UID = 0x73c5
export const TRACK_TYPE = 0x83
export const FLAG_LACING = 0x9c
export const DEFAULT_DURATION = 0x23e383
export const MAX_BLOCK_ADDITION_ID = 0x55ee // §5.1.4.1.16
export const NAME = 0x536e
export const LANGUAGE = 0x22b59c
export const CODEC_ID = 0x86
export const CODEC_PRIVATE = 0x63a2
export const CODEC_DELAY = 0x56aa
export const SEEK_PRE_ROLL = 0x56bb
export const VIDEO = 0xe0
export const ALPHA_MODE = 0x53c0 // §5.1.4.1.28.4
export const PIXEL_WIDTH = 0xb0
export const PIXEL_HEIGHT = 0xba
export const DISPLAY_WIDTH = 0x54b0
export const DISPLAY_HEIGHT = 0x54ba
export const DISPLAY_UNIT = 0x54b2
export const COLOUR = 0x55b0 // §5.1.4.1.28.16
export const MATRIX_COEFFICIENTS = 0x55b1
export const RANGE = 0x55b9
export const TRANSFER_CHARACTERISTICS = 0x55ba
export const PRIMARIES = 0x55bb
export const AUDIO = 0xe1
export const SAMPLING_FREQUENCY = 0xb5
export const OUTPUT_SAMPLING_FREQUENCY = 0x78b5
export const CHANNELS = 0x9f
export const BIT_DEPTH = 0x6264
export const CONTENT_ENCODINGS = 0x6d80
export const CONTENT_ENCODING = 0x6240
export const CONTENT_ENCODING_SCOPE = 0x5032
export const CONTENT_ENCODING_TYPE = 0x5033
export const CONTENT_COMPRESSION = 0x5034
export const CONTENT_COMP_ALGO = 0x4254

export const CUES = 0x1c53bb6b // §5.1.5
export const CUE_POINT = 0xbb
export const CUE_TIME = 0xb3
export const CUE_TRACK_POSITIONS = 0xb7
export const CUE_TRACK = 0xf7
export const CUE_CLUSTER_POSITION = 0xf1
export const CUE_RELATIVE_POSITION = 0xf0

export const ATTACHMENTS = 0x1941a469 // §5.1.6
export const CHAPTERS = 0x1043a770 // §5.1.7
export const EDITION_ENTRY = 0x45b9
export const EDITION_UID = 0x45bc
export const CHAPTER_ATOM = 0xb6
export const CHAPTER_UID = 0x73c4
export const CHAPTER_TIME_START = 0x91 // ns
export const CHAPTER_DISPLAY = 0x80
export const CHAP_STRING = 0x85
export const CHAP_LANGUAGE = 0x437c
export const TAGS = 0x1254c367 // §5.1.8

/** Whether `id` stands directly in a Segment, and so ends a Cluster of unknown size (RFC 8794 §6.2). */
export function isTopLevel(id: number): boolean {
  switch (id) {
    case EBML:
    case SEGMENT:
    case SEEK_HEAD:
    case INFO:
    case CLUSTER:
    case TRACKS:
    case CUES:
    case ATTACHMENTS:
    case CHAPTERS:
    case TAGS:
      return true
    default:
      return false
  }
}

/** Whether `id` may stand in a Cluster (RFC 9559 §5.1.3). */
export function isClusterChild(id: number): boolean {
  switch (id) {
    case TIMESTAMP:
    case SIMPLE_BLOCK:
    case BLOCK_GROUP:
    case VOID:
    case CRC_32:
    case SILENT_TRACKS:
    case POSITION:
    case PREV_SIZE:
    case ENCRYPTED_BLOCK:
      return true
    default:
      return false
  }
}
