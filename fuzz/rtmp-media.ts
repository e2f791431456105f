import { RtmpDemuxer } from '../src/ingest/rtmp/demuxer.ts'
import { TapedeckError } from '../src/media/errors.ts'
import type { FuzzTarget } from './target.ts'

const AVC_HEADER = Buffer.from(
  '17000000000164000cffe1001a6764000cacd941419f9f011000000300100000030320f142996001000668ebe3cb22c0fdf8f800',
  'hex',
)
const HEX_MESSAGES = [
  '170100005000000003658884', // AVC keyframe
  '27010000280000000341 9a24', // AVC inter frame
  'af001190', // AAC configuration
  'af0121010203', // AAC frame
  '2ffffb9000', // MP3
  '72010203', // G.711
  'b2010203', // Speex
  '90704f707573 ', // cut
  '904f7075734f707573486561640102380180bb0000000000', // Opus configuration
  '914f707573fc010203', // Opus frame
  '87020514550061766331000000000000036588', // ModEx, then coded frames
  '96106176633100000000000003658884', // multitrack
  '8061763031 81000c000a0b000000043cfecc02f80040', // AV1 configuration
  '91617630311200320401020304', // AV1 frame behind a delimiter
  '8076703039000b820202020000', // VP9 configuration
  '917670303 9824983420013f00b3e', // VP9 keyframe
]

/** Each record is a length byte and a message, which is read as video and as audio. */
function records(messages: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(messages.flatMap((message) => [Uint8Array.of(message.length), message]))
}

/** One message; the next one is read even where this one cannot be, as for a publisher. */
function pass(demuxer: RtmpDemuxer, type: 8 | 9, at: number, body: Uint8Array): void {
  try {
    demuxer.media(type, (at * 0x1234567) >>> 0, body, undefined)
  } catch (error) {
    if (!(error instanceof TapedeckError)) throw error
  }
}

/** Audio and video messages of a publisher, one after the other: configurations, frames, all codecs and headers. */
export const target: FuzzTarget = {
  name: 'rtmp-media',
  seeds() {
    const messages = HEX_MESSAGES.map((hex) => Buffer.from(hex.replaceAll(' ', ''), 'hex'))
    return [
      records([AVC_HEADER, ...messages]),
      records([AVC_HEADER, messages[0], messages[1]]),
      records(messages.slice(2, 7)),
    ]
  },
  run(input) {
    const demuxer = new RtmpDemuxer({ track() {}, write() {} }, { maxTracks: 16, onRefused() {} })
    for (let at = 0; at < input.length; at += 1 + input[at]) {
      const body = input.subarray(at + 1, at + 1 + input[at])
      pass(demuxer, 9, at, body)
      pass(demuxer, 8, at, body)
    }
  },
}
