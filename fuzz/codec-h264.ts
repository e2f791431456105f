import { buildAvcC, parseAvcC, writeAvcC } from '../src/codec/h264/avcc.ts'
import { isH264Keyframe } from '../src/codec/h264/nal.ts'
import { parseH264Pps } from '../src/codec/h264/pps.ts'
import { parseH264Sps } from '../src/codec/h264/sps.ts'
import { annexBToSample, sampleToAnnexB, splitAnnexB, splitSample } from '../src/codec/nal.ts'
import { expectStable, tolerated } from '../test/codec/tolerated.ts'
import { VECTORS } from '../test/codec/vectors.ts'
import type { FuzzTarget } from './target.ts'

/** avcC, parameter sets, NAL units in both framings, and the keyframe test. */
export const target: FuzzTarget = {
  name: 'codec-h264',
  seeds: () =>
    VECTORS.filter(({ codec }) => codec === 'h264').flatMap(({ config, packets }) => {
      const { sps, pps } = parseAvcC(config)
      return [config, ...sps, ...pps, packets[1].data, sampleToAnnexB(packets[0].data, 4)]
    }),
  run(input) {
    expectStable(input, parseAvcC, writeAvcC)
    tolerated(() => parseH264Sps(input))
    tolerated(() => parseH264Pps(input))
    tolerated(() => buildAvcC(splitAnnexB(input)))
    for (const size of [1, 2, 4] as const) {
      isH264Keyframe(input, size)
      tolerated(() => splitSample(input, size))
      tolerated(() => annexBToSample(input, size))
    }
  },
}
