import { describe, expect, it } from 'vitest'
import { sources } from './sources.ts'

const DECLARATION = /^export (?:declare )?(?:abstract )?(?:async )?(?:function\*?|class|interface|type|const|let) (\w+)/
/** A wire constant may carry its comment at the end of its line, or stand in a group below one that does. */
const WIRE_CONSTANT = /^export const [A-Z][A-Z0-9_]* =/

describe('exported symbols', () => {
  it('each have a doc comment', () => {
    const bare: string[] = []
    for (const { path, text } of sources('src')) {
      const lines = text.split('\n')
      lines.forEach((line, i) => {
        const name = DECLARATION.exec(line)?.[1]
        if (name !== undefined && !isDocumented(lines, i)) bare.push(`${path}: ${name}`)
      })
    }
    expect(bare).toEqual([])
  })
})

function isDocumented(lines: readonly string[], at: number): boolean {
  if (!WIRE_CONSTANT.test(lines[at])) return endsComment(lines[at - 1])
  let above = at
  for (; above >= 0 && WIRE_CONSTANT.test(lines[above]); above--) if (lines[above].includes('//')) return true
  return endsComment(lines[above]) || lines[above]?.startsWith('//') === true
}

function endsComment(line: string | undefined): boolean {
  return line?.trimEnd().endsWith('*/') === true
}
