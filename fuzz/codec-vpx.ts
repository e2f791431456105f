import { isVp8Keyframe, parseVp8Keyframe } from '../src/codec/vp8.ts'
import { isVp9Keyframe, parseVp9Keyframe, splitSuperframe, vpcCFromVp9 } from '../src/codec/vp9.ts'
import { parseVpcC, writeVpcC } from '../src/codec/vpcc.ts'
import { expectStable, tolerated } from '../test/codec/tolerated.ts'
import { VECTORS } from '../test/codec/vectors.ts'
import type { FuzzTarget } from './target.ts'

/** vpcC, VP8 and VP9 frame headers, superframes. */
export const target: FuzzTarget = {
  name: 'codec-vpx',
  seeds: () =>
    VECTORS.filter(({ codec }) => codec === 'vp8' || codec === 'vp9').flatMap(({ config, packets }) => [
      config,
      ...packets.map(({ data }) => data),
      Uint8Array.of(0xaa, 0xbb, 0xcc, 0xc9, 2, 0, 1, 0, 0xc9),
    ]),
  run(input) {
    expectStable(input, parseVpcC, writeVpcC)
    tolerated(() => parseVp8Keyframe(input))
    tolerated(() => parseVp9Keyframe(input))
    tolerated(() => writeVpcC(vpcCFromVp9(input)))
    tolerated(() => splitSuperframe(input))
    isVp8Keyframe(input)
    isVp9Keyframe(input)
  },
}
