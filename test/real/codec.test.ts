import { describe, it } from 'vitest'
import { expectAgreement } from '../codec/agreement.ts'
import { encodedStream } from '../codec/encoded-stream.ts'
import { RECIPES } from '../codec/recipes.ts'

describe('streams encoded here and now', () => {
  it.each(RECIPES)('$name: size, rate, keyframes and durations are what ffprobe says', async (recipe) => {
    expectAgreement(recipe.codec, await encodedStream(recipe))
  })
})
