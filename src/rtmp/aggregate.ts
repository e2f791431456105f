import { MalformedError } from '../media/errors.ts'

/** One of the messages in an aggregate. */
export interface AggregatePart {
  readonly type: number
  readonly timestampMs: number
  readonly payload: Buffer
}

/** Header of a sub-message: type, length, timestamp, stream id; and the back pointer after it, bytes, §7.1.6. */
const HEADER_BYTES = 11
const BACK_POINTER_BYTES = 4

/**
 * The messages of an aggregate, in order. Their times are moved so that the first has the aggregate's own, §7.1.6.
 * @throws MalformedError when one is cut; those before it have been handed out
 */
export function* splitAggregate(payload: Buffer, timestampMs: number): Generator<AggregatePart, void, void> {
  let at = 0
  let shiftMs: number | undefined
  while (at + HEADER_BYTES <= payload.length) {
    const lengthBytes = payload.readUIntBE(at + 1, 3)
    const ownMs = payload.readUIntBE(at + 4, 3) + payload[at + 7] * 2 ** 24 // as in FLV: the high byte comes last
    const start = at + HEADER_BYTES
    if (start + lengthBytes > payload.length) {
      throw new MalformedError('RTMP aggregate', `a message of ${lengthBytes} bytes is cut`, at)
    }
    shiftMs ??= timestampMs - ownMs
    yield {
      type: payload[at],
      timestampMs: (ownMs + shiftMs) >>> 0,
      payload: payload.subarray(start, start + lengthBytes),
    }
    at = start + lengthBytes + BACK_POINTER_BYTES
  }
}
