/** Makes the vectors beside it from real encoders: `node test/codec/vectors/make.ts`. Needs ffmpeg; the tests do not. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { encodedStream } from '../encoded-stream.ts'
import { RECIPES } from '../recipes.ts'

/** Keeps a vector below 20 KB. */
const MAX_PACKETS = 4

for (const recipe of RECIPES) {
  const stream = await encodedStream(recipe)
  const vector = {
    codec: recipe.codec,
    encoder: recipe.args,
    config: stream.config.toString('hex'),
    probe: stream.probe,
    packets: stream.packets.slice(0, MAX_PACKETS).map(({ key, duration, data }) => ({
      key,
      duration,
      data: data.toString('hex'),
    })),
  }
  writeFileSync(join(import.meta.dirname, `${recipe.name}.json`), `${JSON.stringify(vector, undefined, 1)}\n`)
}
