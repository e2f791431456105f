import { resolve } from 'node:path'

/**
 * The command line under test: the bundle that users run, where `npm test` has just made it, and otherwise its source. The
 * bundle starts in a third of the time, which counts where a server is killed hundreds of times.
 */
export const main = resolve(
  import.meta.dirname,
  process.env.TAPEDECK_TEST_BUILT === undefined ? '../../src/cli/main.ts' : '../../dist/cli/main.js',
)
