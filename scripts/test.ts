import { spawnSync } from 'node:child_process'
import { ensureSystemPackages } from './system-packages.ts'

/** `npm test`: what the tests need, the static checks, the bundle that real tests run, then every test. Arguments go to vitest. */
if (!ensureSystemPackages()) process.exit(1)
if (process.getuid?.() !== 0) {
  const fate = (process.env.CI ?? '') === '' ? 'are NOT RUN' : 'will FAIL'
  console.log(`Not root: the tests of full, blocking and failing disks mount file systems, and ${fate}`)
}
const steps: readonly (readonly [string, readonly string[]])[] = [
  ['npm', ['run', '--silent', 'check']],
  ['npm', ['run', '--silent', 'build']],
  ['vitest', ['run', ...process.argv.slice(2)]],
]
for (const [command, args] of steps) {
  const { status } = spawnSync(command, args, { stdio: 'inherit', env: { ...process.env, TAPEDECK_TEST_BUILT: '1' } })
  if (status !== 0) process.exit(status ?? 1)
}
