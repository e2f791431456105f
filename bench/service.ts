import { existsSync, readdirSync, statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises'
import { ApiCaller } from './api-calls.ts'
import { runLoad } from './load-generator.ts'
import { measure, spread, table } from './measure.ts'
import { longMedia, publisherMedia } from './media.ts'
import { costOf } from './process-cost.ts'
import { type BenchServer, startTapedeck } from './servers.ts'

interface Recording {
  readonly recording_id: string
  readonly status: string
  readonly duration_seconds: number
  readonly error: { readonly code: string } | null
}

const ROOM = '/rooms/live'
const STATUS_READS = 20_000
const CONNECTIONS = 16
/** How long anything may take before the benchmark gives up, ms. */
const DEADLINE_MS = 120_000
/** A file that has not grown for so long has all that was sent: servers gather for a second at most, ms. */
const SETTLING_MS = 2000

/** Both from their source, so that nothing but what they do differs. */
const SERVICE_HOST = '../src/cli/main.ts'
const BARE_HOST = 'bare-recorder.ts'

/** Requested recordings only, as many as it takes. */
const ON_REQUEST = ['--no-record-all', '--max-recordings', '1000', '--max-recording-duration', '4h', '--no-thumbnails']

/** Status reads per second and what each costs, beside /healthz, which does nothing but answer. */
export async function statusReads(rounds: number): Promise<void> {
  const rows = new Map<string, { rate: number[]; cpuMs: number[] }>()
  for (let round = 0; round < rounds; round++) {
    await withServer('status', ON_REQUEST, async (server, api) => {
      await whilePublishing(server, api, async (room) => {
        const { recording_id: id } = await start(api, room)
        const paths = {
          'status of a recording': `${ROOM}/recording/${id}/status`,
          'list of recordings': '/recordings?all=true',
        }
        for (const [name, path] of Object.entries(paths)) {
          await reads(api, path, STATUS_READS / 10)
          const cpu = costOf(server.pid).cpuSeconds
          const beganAt = performance.now()
          await reads(api, path, STATUS_READS)
          const seconds = (performance.now() - beganAt) / 1000
          const row = rows.get(name) ?? { rate: [], cpuMs: [] }
          rows.set(name, row)
          row.rate.push(STATUS_READS / seconds)
          row.cpuMs.push(((costOf(server.pid).cpuSeconds - cpu) * 1000) / STATUS_READS)
        }
      })
    })
  }
  console.log(
    `\nAPI calls, ${CONNECTIONS} connections, one recording running; ${rounds} rounds, middle [lowest–highest]`,
  )
  table(
    ['call', 'per second', 'CPU-ms each'],
    [...rows].map(([name, { rate, cpuMs }]) => [name, spread(rate, 0), spread(cpuMs, 3)]),
  )
}

/** From the call of start to the first byte in a file, and from the call of stop to completed, for lengths of media. */
export async function latencies(rounds: number): Promise<void> {
  const firstByte: number[] = []
  await withServer('start', ON_REQUEST, async (server, api) => {
    await whilePublishing(server, api, async (room) => {
      for (let round = 0; round < rounds * 10; round++) {
        const before = new Set(mediaFiles(server.directory))
        const beganAt = performance.now()
        const started = start(api, room)
        await until(() => mediaFiles(server.directory).some((path) => !before.has(path)))
        firstByte.push(performance.now() - beganAt)
        const { recording_id: id } = await started
        await api.call('DELETE', `${ROOM}/recording/${id}`)
      }
    })
  })
  console.log(`\nfrom start to the first byte in a file, ${firstByte.length} recordings: ${spread(firstByte, 0)} ms`)
  const rows: string[][] = []
  for (const format of ['mp4', 'flv', 'mkv']) {
    for (const [name, bytes] of [
      ['1 min', 6.75e6],
      ['2 h', 810e6],
    ] as const) {
      const tookMs: number[] = []
      for (let round = 0; round < rounds; round++) tookMs.push(await stopLatency(format, bytes))
      rows.push([format, name, spread(tookMs, 0)])
    }
  }
  console.log(`\nfrom stop to completed, passthrough; ${rounds} rounds, middle [lowest–highest]`)
  table(['format', 'media', 'ms'], rows)
}

async function stopLatency(format: string, bytes: number): Promise<number> {
  let tookMs = Number.NaN
  await withServer('stop', [...ON_REQUEST, '--reconnect-window', '10m'], async (server, api) => {
    const { recording_id: id } = await start(api, { recording_format: format, participants: ['s0'] })
    await runLoad(['-p', String(server.rtmpPort), '-m', longMedia(), '-P', '1', '-f', '-b', String(bytes), '-s', '300'])
    await settledFiles(server.directory)
    const beganAt = performance.now()
    await api.call('POST', `${ROOM}/recording/${id}/stop`)
    const { status, error } = await settled(api, id)
    tookMs = performance.now() - beganAt
    if (status !== 'completed') throw new Error(`the recording is ${status}: ${error?.code}`)
  })
  return tookMs
}

/** What the service costs beside the recorder alone: the same publishers, recorded by request, by itself, and bare. */
export async function overhead(rounds: number, seconds: number): Promise<void> {
  const args = ['-m', publisherMedia(), '-P', '50', '-s', String(seconds)]
  const contenders: readonly { readonly name: string; readonly start: () => Promise<BenchServer> }[] = [
    { name: 'recorder alone', start: () => startTapedeck('bare', [], { host: BARE_HOST }) },
    { name: 'service, automatic', start: () => startTapedeck('automatic', [], { host: SERVICE_HOST }) },
    { name: 'service, on request', start: () => requested() },
  ]
  const costs = new Map(contenders.map(({ name }) => [name, [] as number[]]))
  for (let round = 0; round < rounds; round++) {
    for (const { name, start: begin } of contenders) {
      const { cpuSeconds, load } = await measure(begin, args)
      costs.get(name)?.push((cpuSeconds * 1e9) / load.tx_bytes)
    }
  }
  const bare = middle(costs.get('recorder alone') ?? [])
  console.log(
    `\n50 publishers in real time, ${seconds} s: the service beside the recorder alone; ${rounds} interleaved rounds`,
  )
  table(
    ['what', 'CPU-s per GB', 'beside the recorder alone'],
    [...costs].map(([name, values]) => [
      name,
      spread(values),
      `${(((middle(values) - bare) / bare) * 100).toFixed(1)} %`,
    ]),
  )
}

/** A server that has a recording of its own for each of fifty publishers to come. */
async function requested(): Promise<BenchServer> {
  const server = await startTapedeck('requested', ON_REQUEST, { host: SERVICE_HOST })
  const api = new ApiCaller(server.httpPort, 8)
  try {
    for (let i = 0; i < 50; i++) await start(api, { participants: [`s${i}`], reconnect_window_seconds: 0 })
  } finally {
    api.close()
  }
  return server
}

async function withServer(
  name: string,
  flags: readonly string[],
  work: (server: BenchServer, api: ApiCaller) => Promise<void>,
): Promise<void> {
  const server = await startTapedeck(name, flags)
  const api = new ApiCaller(server.httpPort, CONNECTIONS)
  try {
    await work(server, api)
  } finally {
    api.close()
    await server.stop()
  }
}

/** Runs `work` while one publisher sends in real time. */
async function whilePublishing(
  server: BenchServer,
  api: ApiCaller,
  work: (room: object) => Promise<void>,
): Promise<void> {
  const load = runLoad(['-p', String(server.rtmpPort), '-m', publisherMedia(), '-P', '1', '-s', '60'])
  await until(async () => (await api.call<{ rooms: readonly unknown[] }>('GET', '/rooms')).body.rooms.length > 0)
  await delay(2500) // the first GOP is there, as for a recording that begins in the middle of a call
  await work({})
  await server.stop()
  await load.catch(() => undefined)
}

async function start(api: ApiCaller, body: object): Promise<Recording> {
  return (await api.call<Recording>('POST', `${ROOM}/recording/start`, body)).body
}

async function settled(api: ApiCaller, id: string): Promise<Recording> {
  for (;;) {
    const { body } = await api.call<Recording>('GET', `${ROOM}/recording/${id}/status`)
    if (['completed', 'failed', 'cancelled'].includes(body.status)) return body
    await nextTurn()
  }
}

/**
 * Waits until all that was sent lies on the disk, as it does when it comes in real time: hours of media that were sent in
 * seconds would else be written after the stop.
 */
async function settledFiles(directory: string): Promise<void> {
  const size = () => mediaFiles(directory).reduce((sum, path) => sum + statSync(join(directory, path)).size, 0)
  for (let before = -1; before !== size(); ) {
    before = size()
    await delay(SETTLING_MS)
  }
  for (const path of mediaFiles(directory)) {
    await using file = await open(join(directory, path))
    await file.sync()
  }
}

async function reads(api: ApiCaller, path: string, count: number): Promise<void> {
  let left = count
  const worker = async () => {
    while (left-- > 0) await api.call('GET', path)
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, worker))
}

function mediaFiles(directory: string): string[] {
  if (!existsSync(directory)) return []
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((path) => /\.(?:mp4|flv|mkv|webm)$/.test(path))
    .filter((path) => (statSync(join(directory, path), { throwIfNoEntry: false })?.size ?? 0) > 0)
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error('what the benchmark waits for does not come')
    await nextTurn()
  }
}

function middle(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN
}
