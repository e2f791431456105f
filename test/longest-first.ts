import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Real tests that take minutes, the longest first: begun last, they would keep one core waiting for the other. */
const LONG: readonly string[] = [
  'service-kill',
  'kill',
  // beside them what waits more than it computes
  'reconnect',
  'revival',
  'fidelity-odd',
  'cli-serve',
  'rtmp-play',
  'jobs-redis-cli',
  'whip-kill',
  'browser-module',
  'upload',
  'long',
  'jobs-ffmpeg-renditions',
  'enhanced',
  'jobs-ffmpeg-recorded',
  'kill-recovery',
  'mp4-players',
]

/** The order in which test files are begun. */
export default class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const at = LONG.findIndex((name) => moduleId.endsWith(`/real/${name}.test.ts`))
      return at < 0 ? LONG.length : at
    }
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b))
  }
}
