import { basename } from 'node:path'
import { describe, expect, it } from 'vitest'
import { sources } from './sources.ts'

const all = sources('src')
/** A file beyond this is more than a reader can hold; split it along a concept. */
const MAX_LINES = 400

describe('source files', () => {
  it('are named in kebab-case, for what they hold', () => {
    const shapeless = /(^|-)(utils?|helpers?|misc|common|base|manager|stuff)(-|$)/
    const bad = all
      .map(({ path }) => path)
      .filter((path) => {
        const name = basename(path, '.ts')
        return !/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name) || shapeless.test(name)
      })
    expect(bad).toEqual([])
  })

  it('stay small enough to hold in mind', () => {
    const lengths = all.map(({ path, text }) => ({ path, lines: text.split('\n').length }))
    expect(lengths.filter(({ lines }) => lines > MAX_LINES)).toEqual([])
    const sorted = lengths.map(({ lines }) => lines).sort((a, b) => a - b)
    expect(sorted[sorted.length >> 1]).toBeLessThanOrEqual(200)
  })

  it('neither silence the compiler nor the linter, nor leave work for later', () => {
    const marks = /@ts-(ignore|expect-error|nocheck)|biome-ignore|\bTODO\b|\bFIXME\b|\bas any\b/
    expect(
      [...all, ...sources('test')]
        .filter(({ path, text }) => !path.endsWith('names.test.ts') && marks.test(text))
        .map(({ path }) => path),
    ).toEqual([])
  })
})
