import { measure, spread, table } from './measure.ts'
import { publisherMedia } from './media.ts'
import { startNginx, startTapedeck } from './servers.ts'

/** One publisher, 50 players: CPU per byte sent, and how much later a frame arrives than it was sent. */
export async function relay(rounds: number, seconds: number): Promise<void> {
  const args = ['-m', publisherMedia(), '-P', '1', '-L', '50', '-s', String(seconds), '-g', '0']
  const contenders = [
    { name: 'tapedeck', start: () => startTapedeck('relay', ['--no-record-all']) },
    { name: 'nginx-rtmp', start: startNginx },
  ]
  const rows = contenders.map(({ name }) => ({
    name,
    costs: [] as number[],
    middle: [] as number[],
    late: [] as number[],
  }))
  for (let round = 0; round < rounds; round++) {
    for (const [i, { start }] of contenders.entries()) {
      const { load, cpuSeconds } = await measure(start, args)
      rows[i].costs.push(cpuSeconds / (load.rx_bytes / 1e9))
      rows[i].middle.push(load.lat_ms[0])
      rows[i].late.push(load.lat_ms[1])
    }
  }
  console.log(`\nrelay 1 → 50 players, ${seconds} s; ${rounds} interleaved rounds, middle [lowest–highest]`)
  table(
    ['server', 'CPU-s per GB sent', 'latency ms', '99th percentile ms (with the GOP at the start)'],
    rows.map(({ name, costs, middle, late }) => [name, spread(costs), spread(middle, 0), spread(late, 0)]),
  )
}
