import { buildHvcC, hevcFacts, hevcParameterSets, parseHvcC, writeHvcC } from '../src/codec/hevc/hvcc.ts'
import { isHevcKeyframe } from '../src/codec/hevc/nal.ts'
import { parseHevcSps } from '../src/codec/hevc/sps.ts'
import { parseHevcPps, parseHevcVps } from '../src/codec/hevc/vps.ts'
import { sampleToAnnexB, splitAnnexB } from '../src/codec/nal.ts'
import { expectStable, tolerated } from '../test/codec/tolerated.ts'
import { VECTORS } from '../test/codec/vectors.ts'
import type { FuzzTarget } from './target.ts'

/** hvcC, parameter sets and the keyframe test. */
export const target: FuzzTarget = {
  name: 'codec-hevc',
  seeds: () =>
    VECTORS.filter(({ codec }) => codec === 'hevc').flatMap(({ config, packets }) => {
      const hvcC = parseHvcC(config)
      const sets = hvcC.arrays.filter(({ type }) => type !== 39).flatMap(({ units }) => units)
      return [config, ...sets, sampleToAnnexB(hevcParameterSets(hvcC), 4), packets[1].data]
    }),
  run(input) {
    expectStable(input, parseHvcC, writeHvcC)
    tolerated(() => hevcFacts(parseHvcC(input)))
    tolerated(() => parseHevcSps(input))
    tolerated(() => parseHevcVps(input))
    tolerated(() => parseHevcPps(input))
    tolerated(() => buildHvcC(splitAnnexB(input)))
    for (const size of [1, 2, 4]) isHevcKeyframe(input, size)
  },
}
