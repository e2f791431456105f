import { readdirSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { openContainer } from '../src/container/formats.ts'
import type { ByteSource } from '../src/media/ports.ts'
import type { LoadReport } from './load-generator.ts'
import { type Measurement, measure, spread, table } from './measure.ts'
import { publisherMedia } from './media.ts'
import { type BenchServer, startNginx, startTapedeck } from './servers.ts'

interface Contender {
  readonly name: string
  readonly start: () => Promise<BenchServer>
  /** Whether its files must hold every frame that was sent. */
  readonly complete: boolean
}

const tapedeck = (name: string, ...flags: readonly string[]): Contender => ({
  name: `tapedeck ${name}`,
  start: () => startTapedeck(name, flags),
  complete: true,
})
const nginx: Contender = { name: 'nginx-rtmp flv', start: startNginx, complete: false }
const contenders = [tapedeck('flv', '--record-format', 'flv'), tapedeck('mp4', '--record-format', 'mp4'), nginx]

/** 100 publishers in real time: CPU per byte, memory, lag, and every frame counted in the files. */
export function realTime(rounds: number, seconds: number): Promise<void> {
  const args = ['-m', publisherMedia(), '-P', '100', '-s', String(seconds)]
  return compare(`100 publishers of 2.66 Mbit/s in real time, ${seconds} s`, contenders, args, rounds)
}

/** One publisher as fast as the server reads. */
export function flatOut(rounds: number): Promise<void> {
  const args = ['-m', publisherMedia(), '-P', '1', '-f', '-b', '800e6', '-s', '120']
  return compare('one publisher flat out, 800 MB', contenders, args, rounds)
}

/** What fsync costs, 100 publishers in real time. */
export function fsyncCost(rounds: number, seconds: number): Promise<void> {
  const policies = ['never', 'interval', 'always'].map((policy) =>
    tapedeck(`mp4, fsync ${policy}`, '--record-format', 'mp4', '--fsync', policy),
  )
  const args = ['-m', publisherMedia(), '-P', '100', '-s', String(seconds)]
  return compare(`fsync: 100 publishers in real time, ${seconds} s, MP4`, policies, args, rounds)
}

async function compare(
  title: string,
  all: readonly Contender[],
  args: readonly string[],
  rounds: number,
): Promise<void> {
  const results = new Map<Contender, Measurement[]>(all.map((contender) => [contender, []]))
  for (let round = 0; round < rounds; round++) {
    for (const contender of all) {
      const measured = await measure(contender.start, args, contender.complete ? expectEveryFrame : undefined)
      results.get(contender)?.push(measured)
    }
  }
  console.log(`\n${title}; ${rounds} interleaved rounds, middle [lowest–highest]`)
  table(
    ['server', 'CPU-s per GB', 'peak RSS MB', 'MB/s', 'publisher lag ms'],
    [...results].map(([{ name }, runs]) => [
      name,
      spread(runs.map(({ cpuSeconds, load }) => cpuSeconds / (load.tx_bytes / 1e9))),
      spread(
        runs.map(({ peakRssBytes }) => peakRssBytes / 1e6),
        0,
      ),
      spread(
        runs.map(({ load }) => load.tx_bytes / 1e6 / load.elapsed_s),
        0,
      ),
      spread(
        runs.map(({ load }) => load.max_lag_ms),
        0,
      ),
    ]),
  )
}

/** Throws unless the files together hold each video and audio message of the load. */
async function expectEveryFrame(server: BenchServer, load: LoadReport): Promise<void> {
  const counts = { video: 0, audio: 0 }
  const names = readdirSync(server.directory).filter((name) => !name.endsWith('.recording.json'))
  for (const name of names) {
    const handle = await open(join(server.directory, name))
    try {
      const source: ByteSource = {
        sizeBytes: (await handle.stat()).size,
        read: async (offset, length) => {
          const { buffer, bytesRead } = await handle.read(new Uint8Array(length), 0, length, offset)
          return buffer.subarray(0, bytesRead)
        },
      }
      const reader = await openContainer(source)
      for await (const { track } of reader.samples()) counts[track.kind]++
      if (!reader.finalised) throw new Error(`${name} is not finalised`)
    } finally {
      await handle.close()
    }
  }
  if (names.length !== load.pub_ok || counts.video !== load.vtx || counts.audio !== load.atx) {
    const held = `${names.length} files hold ${counts.video} video and ${counts.audio} audio frames`
    throw new Error(`${server.name}: ${held}; ${load.pub_ok} publishers sent ${load.vtx} and ${load.atx}`)
  }
}
