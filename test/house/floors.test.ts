import { describe, expect, it } from 'vitest'
import { type Source, sources } from './sources.ts'

/** Lowest first; rooms of one floor are strangers. The same table stands in docs/architecture.md. */
const FLOORS: readonly (readonly string[])[] = [
  ['media'],
  ['codec'],
  ['container', 'storage', 'state', 'rtp'],
  ['rtmp', 'webrtc'],
  ['live'],
  ['ingest', 'playback', 'recorder', 'jobs', 'events'],
  ['service'],
  ['api'],
  ['browser', 'client', 'cli', 'config', 'library', 'server', 'server.ts', 'config.ts', 'index.ts'],
]

const roomOf = (path: string) => path.split('/')[1]
const floorOf = (path: string) => FLOORS.findIndex((rooms) => rooms.includes(roomOf(path)))
const TOP = FLOORS.length - 1
const all = sources('src')

function mayImport(from: string, to: string): boolean {
  if (roomOf(from) === roomOf(to)) return true
  const [floor, other] = [floorOf(from), floorOf(to)]
  return other < floor || (floor === TOP && other === TOP)
}

describe('floors', () => {
  it('have a place for every source file', () => {
    expect(all.filter(({ path }) => floorOf(path) < 0).map(({ path }) => path)).toEqual([])
    expect(all.length).toBeGreaterThan(20)
  })

  it('are crossed downwards only, and never between strangers', () => {
    const crossings = all.flatMap(({ path, imports }) =>
      imports.filter((to) => to.startsWith('src/') && !mayImport(path, to)).map((to) => `${path} imports ${to}`),
    )
    expect(crossings).toEqual([])
  })

  it('never reach out of src', () => {
    const outside = all.flatMap(({ path, imports }) =>
      imports.filter((to) => !to.startsWith('src/')).map((to) => `${path} imports ${to}`),
    )
    expect(outside).toEqual([])
  })

  it('know no cycles, not even of types', () => {
    expect(cycles(all)).toEqual([])
  })
})

function cycles(files: readonly Source[]): string[] {
  const imports = new Map(files.map((file) => [file.path, file.imports]))
  const done = new Set<string>()
  const found: string[] = []
  const visit = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) found.push([...trail.slice(trail.indexOf(path)), path].join(' → '))
    if (done.has(path) || trail.includes(path)) return
    for (const next of imports.get(path) ?? []) visit(next, [...trail, path])
    done.add(path)
  }
  for (const { path } of files) visit(path, [])
  return found
}
