import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { FuzzTarget } from './target.ts'

const corpusDirectory = join(import.meta.dirname, 'corpus')

/** The well-formed seeds of `target`, files of other programs, and the inputs that once broke it. */
export function corpusOf(target: FuzzTarget): Uint8Array[] {
  const directory = join(corpusDirectory, target.name)
  const kept = existsSync(directory)
    ? readdirSync(directory)
        .sort()
        .map((name) => new Uint8Array(readFileSync(join(directory, name))))
    : []
  return [...target.seeds(), ...kept]
}

/** Keeps an input for every later run of the target. Returns its path. */
export function keep(targetName: string, input: Uint8Array, name: string): string {
  const directory = join(corpusDirectory, targetName)
  mkdirSync(directory, { recursive: true })
  const path = join(directory, name)
  writeFileSync(path, input)
  return path
}
