import { deepStrictEqual } from 'node:assert'
import { buildAv1C, parseAv1C, writeAv1C } from '../src/codec/av1/av1c.ts'
import { isAv1Keyframe } from '../src/codec/av1/keyframe.ts'
import { findObu, OBU_SEQUENCE_HEADER, temporalUnitToSample } from '../src/codec/av1/obu.ts'
import { parseAv1SequenceHeader } from '../src/codec/av1/sequence-header.ts'
import { expectStable, tolerated } from '../test/codec/tolerated.ts'
import { VECTORS } from '../test/codec/vectors.ts'
import type { FuzzTarget } from './target.ts'

/** av1C, sequence headers, OBU framing and the keyframe test. */
export const target: FuzzTarget = {
  name: 'codec-av1',
  seeds: () =>
    VECTORS.filter(({ codec }) => codec === 'av1').flatMap(({ config, packets }) => [
      config,
      findObu(config.subarray(4), OBU_SEQUENCE_HEADER) ?? config,
      ...packets.map(({ data }) => Buffer.concat([Uint8Array.of(0x12, 0), data])),
    ]),
  run(input) {
    expectStable(input, parseAv1C, writeAv1C)
    tolerated(() => parseAv1SequenceHeader(input))
    tolerated(() => buildAv1C(input))
    isAv1Keyframe(input, new Uint8Array(0))
    isAv1Keyframe(input.subarray(input.length >> 1), input.subarray(0, input.length >> 1))
    const sample = tolerated(() => temporalUnitToSample(input))
    if (sample !== undefined) deepStrictEqual(temporalUnitToSample(sample), sample)
  },
}
