import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { nodeIdentity } from '../../src/state/node-identity.ts'
import { StateError } from '../../src/state/sqlite-journal.ts'
import { scratch } from '../peers/tapedeck.ts'

const directory = scratch('node')
afterAll(() => directory.drop())

it('a node has the name it was given, or one that is made once and kept', () => {
  const data = join(directory.path, 'data')
  expect(nodeIdentity(data, 'given')).toBe('given')
  const made = nodeIdentity(data)
  expect(made).toMatch(/^[\w-]{10,64}$/)
  expect(nodeIdentity(data)).toBe(made)
  expect(readFileSync(join(data, 'node'), 'utf8')).toBe(`${made}\n`)
  expect(statSync(join(data, 'node')).mode & 0o777).toBe(0o600)
  expect(nodeIdentity(join(directory.path, 'other'))).not.toBe(made)
})

it('a file that holds no name is refused', () => {
  writeFileSync(join(directory.path, 'node'), 'a b\nc')
  expect(() => nodeIdentity(directory.path)).toThrow(StateError)
  writeFileSync(join(directory.path, 'file'), '')
  expect(() => nodeIdentity(join(directory.path, 'file'))).toThrow(StateError)
})
