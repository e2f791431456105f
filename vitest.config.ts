import { defineConfig } from 'vitest/config'
import LongestFirst from './test/longest-first.ts'

/** Browsers that encode in real time: beside others they would be late, which says nothing of tapedeck. */
const ENCODING_BROWSERS = ['whip-bandwidth', 'whip-changes', 'whip-codecs', 'whip-network', 'whip-room'].map(
  (name) => `test/real/${name}.test.ts`,
)

/**
 * `unit`: everything that needs no other program. `real`: driven by real peers (ffmpeg, Chromium, nginx…), four at a time.
 * `browser`: by browsers that need the machine for themselves, one after the other.
 */
export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    reporters: ['default', './test/closing-line.ts'],
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/real/**'],
          testTimeout: 30_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'real',
          include: ['test/real/**/*.test.ts'],
          exclude: ENCODING_BROWSERS,
          testTimeout: 180_000,
          hookTimeout: 120_000,
          maxWorkers: 4,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'browser',
          include: ENCODING_BROWSERS,
          testTimeout: 180_000,
          hookTimeout: 240_000,
          maxWorkers: 1,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
})
