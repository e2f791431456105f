import type { LoadReport } from './load-generator.ts'
import { runLoad } from './load-generator.ts'
import { costOf, watchPeak } from './process-cost.ts'
import type { BenchServer } from './servers.ts'

/** One load on one server. */
export interface Measurement {
  readonly load: LoadReport
  /** Of the server's whole process tree, from before the load until all files are complete. */
  readonly cpuSeconds: number
  readonly peakRssBytes: number
}

/** Runs one load against a fresh server, looks at the files with `inspect`, and stops the server. */
export async function measure(
  start: () => Promise<BenchServer>,
  loadArgs: readonly string[],
  inspect?: (server: BenchServer, load: LoadReport) => Promise<void>,
): Promise<Measurement> {
  const server = await start()
  try {
    const peak = watchPeak(server.pid)
    const before = costOf(server.pid).cpuSeconds
    const load = await runLoad(['-p', String(server.rtmpPort), ...loadArgs])
    await server.quiet()
    const cpuSeconds = costOf(server.pid).cpuSeconds - before
    const peakRssBytes = peak()
    if (load.err !== '') throw new Error(`${server.name}: the load failed: ${load.err}`)
    await inspect?.(server, load)
    return { load, cpuSeconds, peakRssBytes }
  } finally {
    await server.stop()
  }
}

/** Lowest, middle and highest of some figures, as `middle [lowest–highest]`. */
export function spread(values: readonly number[], digits = 2): string {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted[sorted.length >> 1]
  return `${middle.toFixed(digits)} [${sorted[0].toFixed(digits)}–${(sorted.at(-1) ?? 0).toFixed(digits)}]`
}

/** Prints rows under a head, columns aligned. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = head.map((cell, i) => Math.max(cell.length, ...rows.map((row) => row[i].length)))
  for (const row of [head, widths.map((width) => '-'.repeat(width)), ...rows]) {
    console.log(`| ${row.map((cell, i) => cell.padEnd(widths[i])).join(' | ')} |`)
  }
}
