import { OBU_FRAME, OBU_FRAME_HEADER, OBU_SEQUENCE_HEADER, ObuCursor } from './obu.ts'

const CONFIG_OBUS_AT = 4 // in av1C, AV1-ISOBMFF §2.3.3
const REDUCED_STILL_PICTURE = 0x08 // in the first byte of a sequence header, §5.5.1
const SHOW_EXISTING_FRAME = 0x80 // in the first byte of a frame header, §5.9.2
const FRAME_TYPE = 0x60 // KEY_FRAME is 0, §6.8.2
const SHOW_FRAME = 0x10

const cursor = new ObuCursor()

/**
 * Whether decoding may start at this temporal unit: its first frame is a KEY_FRAME with show_frame 1, and a sequence
 * header is there, in the unit or in the av1C `config` (AV1-ISOBMFF §2.4). A hidden keyframe that a later frame shows
 * (show_existing_frame) is none: frames between may need older ones. Garbage is no keyframe.
 */
export function isAv1Keyframe(data: Uint8Array, config: Uint8Array): boolean {
  let described = config.length > CONFIG_OBUS_AT
  let still = described && reducedStillPicture(config)
  cursor.reset(data)
  while (cursor.next()) {
    if (cursor.type === OBU_SEQUENCE_HEADER && cursor.end > cursor.payloadStart) {
      described = true
      still = (data[cursor.payloadStart] & REDUCED_STILL_PICTURE) !== 0
    } else if (cursor.type === OBU_FRAME || cursor.type === OBU_FRAME_HEADER) {
      if (!described || cursor.end === cursor.payloadStart) return false
      const header = data[cursor.payloadStart]
      return still || (header & (SHOW_EXISTING_FRAME | FRAME_TYPE | SHOW_FRAME)) === SHOW_FRAME
    }
  }
  return false
}

function reducedStillPicture(config: Uint8Array): boolean {
  // The sequence header is the first OBU of configOBUs; its size is one byte: none is longer than 127 bytes.
  const header = config[CONFIG_OBUS_AT]
  if (((header >> 3) & 0xf) !== OBU_SEQUENCE_HEADER) return false
  const payload = CONFIG_OBUS_AT + 1 + ((header >> 2) & 1) + ((header >> 1) & 1)
  return payload < config.length && (config[payload] & REDUCED_STILL_PICTURE) !== 0
}
