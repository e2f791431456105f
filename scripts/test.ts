import { spawnSync } from 'node:child_process'
import { ensureSystemPackages } from './system-packages.ts'

/** `npm test`: what the tests need, then the static checks, then every test. Arguments go to vitest. */
if (!ensureSystemPackages()) process.exit(1)
const steps: readonly (readonly [string, readonly string[]])[] = [
  ['npm', ['run', '--silent', 'check']],
  ['vitest', ['run', ...process.argv.slice(2)]],
]
for (const [command, args] of steps) {
  const { status } = spawnSync(command, args, { stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}
