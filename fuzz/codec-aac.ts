import { configFromAdts, splitAdts, writeAdtsHeader } from '../src/codec/aac/adts.ts'
import { aacFacts, parseAudioSpecificConfig, writeAudioSpecificConfig } from '../src/codec/aac/audio-specific-config.ts'
import { expectStable, tolerated } from '../test/codec/tolerated.ts'
import { VECTORS } from '../test/codec/vectors.ts'
import type { FuzzTarget } from './target.ts'

const CONFIGS = ['1210', '121056e500', '139056e5a0', '2b920800', 'eb8a0800', '138856e5a54880', 'f8e85000', 'ba080000']
const PROGRAM = '118004c404200041090000'

/** AudioSpecificConfig and ADTS. */
export const target: FuzzTarget = {
  name: 'codec-aac',
  seeds: () => [
    ...[...CONFIGS, PROGRAM].map((hex) => Buffer.from(hex, 'hex')),
    ...VECTORS.filter(({ codec }) => codec === 'aac').map(({ config, packets }) =>
      Buffer.concat(
        packets.flatMap(({ data }) => [writeAdtsHeader(parseAudioSpecificConfig(config), data.length), data]),
      ),
    ),
  ],
  run(input) {
    expectStable(input, parseAudioSpecificConfig, writeAudioSpecificConfig)
    tolerated(() => aacFacts(parseAudioSpecificConfig(input)))
    tolerated(() => splitAdts(input))
    tolerated(() => writeAudioSpecificConfig(configFromAdts(input)))
  },
}
