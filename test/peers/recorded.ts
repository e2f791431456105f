import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { RecordingReport } from '../../src/recorder/report.ts'
import type { TapedeckProcess } from './tapedeck.ts'
import { until } from './until.ts'

/** What became of one recording. */
export interface Recorded {
  /** Paths, oldest first. */
  readonly files: readonly string[]
  readonly report: RecordingReport
}

/**
 * The first `count` recordings of participant `name`, oldest first, once they have come to their end. The server must have
 * been started with `--record-report`.
 */
export async function recorded(server: TapedeckProcess, name: string, count = 1): Promise<Recorded[]> {
  const found = await until(`${count} recordings of ${name}`, () => {
    const mine = reports(server.recordings).filter(({ participant }) => participant === name)
    return mine.length < count ? undefined : mine
  })
  expect(found).toHaveLength(count)
  return found.map((report) => ({ report, files: report.parts.map(({ path }) => path) }))
}

function reports(directory: string): RecordingReport[] {
  if (!existsSync(directory)) return []
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter(
    (name) => name.endsWith('.json') && !name.endsWith('recording.json'), // that is a manifest
  )
  const all: RecordingReport[] = names.map((name) => JSON.parse(readFileSync(join(directory, name), 'utf8')))
  return all.sort((a, b) => a.startedAt.localeCompare(b.startedAt))
}

/** Everything that came is in the files, and nothing had to be mended on the way. */
export function expectNothingLost({ report }: Recorded): void {
  expect(report).toMatchObject({ state: 'completed', droppedFrames: 0, skippedFrames: 0, nudgedFrames: 0 })
  expect([report.gaps.count, report.jumps.count, report.outages.count, report.error]).toEqual([0, 0, 0, undefined])
}
