import { parseAmf0Values, writeAmf0Values } from '../src/container/flv/amf0.ts'
import type { FuzzTarget } from './target.ts'

const AMF3_WRAPPED = [
  // an object with two members and a nested array, an AMF3 string twice (the second by reference), a date, a byte array
  [
    0x11, 0x0a, 0x0b, 0x01, 0x03, 0x61, 0x04, 0x81, 0x00, 0x05, 0x62, 0x63, 0x09, 0x05, 0x01, 0x06, 0x03, 0x78, 0x06,
    0x04, 0x01,
  ],
  [0x11, 0x0a, 0x23, 0x07, 0x46, 0x6f, 0x6f, 0x03, 0x61, 0x03, 0x62, 0x04, 0x01, 0x03],
  [0x11, 0x08, 0x01, 0x42, 0x77, 0, 0, 0, 0, 0, 0, 0x11, 0x0c, 0x05, 0x01, 0x02, 0x11, 0x05, 0x40, 0, 0, 0, 0, 0, 0, 0],
]

/** AMF0 with AMF3 behind avmplus markers: commands, data messages, script tags. */
export const target: FuzzTarget = {
  name: 'amf0',
  seeds: () => [
    writeAmf0Values(['connect', 1, { app: 'live', tcUrl: 'rtmp://127.0.0.1/live', fpad: false, caps: [1, 'x', null] }]),
    writeAmf0Values([
      '@setDataFrame',
      'onMetaData',
      { width: 1280, framerate: 30, at: new Date(0), nothing: undefined },
    ]),
    Uint8Array.of(0x0c, 0, 0, 0, 3, 0x61, 0x62, 0x63, 0x0f, 0, 0, 0, 1, 0x78),
    Uint8Array.of(0x08, 0, 0, 0, 1, 0, 1, 0x61, 0x07, 0, 0, 0, 0, 0x09, 0x10, 0, 1, 0x41, 0, 0, 0x09, 0x07, 0, 1),
    ...AMF3_WRAPPED.map((bytes) => Uint8Array.from(bytes)),
  ],
  run(input) {
    const values = parseAmf0Values(input)
    writeAmf0Values(values)
  },
}
