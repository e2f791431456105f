import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { FuzzTarget } from './target.ts'

/** Files of this folder that are machinery, not targets. */
const MACHINERY = new Set([
  ...['attack.ts', 'corpus.ts', 'live-bytes.ts', 'mutate.ts', 'run.ts', 'target.ts', 'targets.ts', 'watchdog.ts'],
])

function isTarget(value: unknown): value is FuzzTarget {
  return typeof value === 'object' && value !== null && 'name' in value && 'seeds' in value && 'run' in value
}

/** Every target of this folder: each other file exports one as `target`, or several as `targets`. */
export async function allTargets(): Promise<FuzzTarget[]> {
  const files = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.ts') && !MACHINERY.has(name))
  const found: FuzzTarget[] = []
  for (const file of files.sort()) {
    const module: Record<string, unknown> = await import(join(import.meta.dirname, file))
    const exported = [module.target, module.targets].flat().filter(isTarget)
    if (exported.length === 0) throw new Error(`fuzz/${file} exports no target`)
    found.push(...exported)
  }
  return found
}
