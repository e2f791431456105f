import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { root, sources } from './sources.ts'

const inCode = new Set(
  sources('src').flatMap(({ text }) => [...text.matchAll(/'(TD_[A-Z0-9_]+)'/g)].map((match) => match[1])),
)
const page = readFileSync(join(root, 'docs/errors.md'), 'utf8')
const rows = [...page.matchAll(/^\| `(TD_[A-Z0-9_]+)` \|(.*)\|$/gm)].map((match) => ({
  code: match[1],
  cells: match[2].split('|').map((cell) => cell.trim()),
}))

describe('the error catalogue', () => {
  it('lists every code once, and nothing else', () => {
    expect(rows.map(({ code }) => code)).toEqual([...inCode].sort())
  })

  it('says of each what it means, whose doing it is, and what to do', () => {
    for (const { code, cells } of rows) {
      expect(cells, code).toHaveLength(3)
      expect(cells[1], code).toMatch(/^(caller|peer|host)( or (caller|peer|host))?$/)
      expect(
        cells.every((cell) => cell.length > 3),
        code,
      ).toBe(true)
    }
  })
})
