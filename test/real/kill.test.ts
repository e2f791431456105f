import { execFile } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, watch } from 'node:fs'
import { basename, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SqliteJournal } from '../../src/state/sqlite-journal.ts'
import { DECODED } from '../peers/decoding.ts'
import { madeMedia } from '../peers/ffmpeg.ts'
import { type KeptMedia, keptMedia } from '../peers/kept-media.ts'
import { MachineWait } from '../peers/machine-wait.ts'
import { PacedPublisher, type SentTag } from '../peers/paced-publisher.ts'
import { scratch, TapedeckProcess } from '../peers/tapedeck.ts'

const run = promisify(execFile)
/** Kills per format; every one at another moment, some in the middle of rotation, some while files are being finished. */
const KILLS = Number(process.env.TAPEDECK_TEST_KILLS ?? 100)
/**
 * What a crash may cost: everything handed to the socket this long before the kill is in the file, ms. Longer by what the machine made
 * the server wait in the last moments.
 */
const MAX_LOSS_MS = 1000
/** Of those moments, ms. */
const WAIT_WINDOW_MS = 2500
const PUBLISHERS = 4
const place = scratch('kill')
afterAll(async () => {
  await TapedeckProcess.endAll()
  place.drop()
})

let media = ''
beforeAll(async () => {
  media = await madeMedia(
    'kill-small-10s.flv',
    '-f lavfi -i testsrc2=size=320x180:rate=30 -f lavfi -i sine=frequency=440:sample_rate=44100 -t 10 -c:v libx264 -preset veryfast -b:v 1M -bf 2 -g 30 -pix_fmt yuv420p -c:a aac -ac 2 -f flv',
  )
})

/** The same figures in every run: a kill that breaks something can be repeated. */
function moments(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

describe.concurrent.each(['mp4', 'flv', 'mkv'])('kill -9 while recording %s', (format) => {
  it(`${KILLS} times: what was received stays, and the next start finishes it`, { timeout: 900_000 }, async () => {
    const flags = ['--record-format', format, '--record-max-duration', '900ms', '--log-format', 'json']
    const server = await TapedeckProcess.start(join(place.path, format), ...flags)
    const next = moments(format.charCodeAt(1))
    const losses: number[] = []
    const waits: number[] = []
    let decoding: Promise<void> = Promise.resolve()
    for (let kill = 0; kill < KILLS; kill++) {
      const { worstMs, waitedMs, recovered } = await killOnce(server, kill, next())
      losses.push(worstMs)
      waits.push(waitedMs)
      await decoding
      decoding = decode(recovered)
    }
    await decoding
    await server.end()
    losses.sort((a, b) => a - b)
    const at = (share: number) => losses[Math.floor((losses.length - 1) * share)]
    const waited = `the machine made it wait up to ${Math.max(...waits)}`
    console.log(`${format}: lost by a kill, ms: median ${at(0.5)}, 95 % ${at(0.95)}, worst ${at(1)}; ${waited}`)
  })
})

describe('kill -9 in the first moments', () => {
  it('of a stream without sound, whose second track is waited for, costs no more', { timeout: 120_000 }, async () => {
    const silent = await madeMedia('kill-silent.flv', `-i ${media} -map v -c copy -f flv`)
    const server = await TapedeckProcess.start(join(place.path, 'first'), '--log-format', 'json')
    for (const [i, afterMs] of [100, 400, 550, 700, 850, 1000, 1200].entries()) {
      const publisher = await PacedPublisher.start(server.rtmpPort, 'live', `s${i}-`, silent)
      while (publisher.lastVideoMs < afterMs) await delay(10)
      const killedAtMs = performance.now()
      const gone = server.end('SIGKILL')
      const sent = [...publisher.sent]
      await gone
      publisher.stop()
      const parts = server.files().filter((file) => file.startsWith(`live_s${i}-_`))
      const paths = parts.map((file) => join(server.recordings, file))
      expect(lostMs(await keptMedia(paths, sent), killedAtMs), `after ${afterMs} ms`).toBeLessThanOrEqual(MAX_LOSS_MS)
      await server.start()
    }
    await server.end()
  })
})

/** How long before the kill the first frame was sent that is not there. */
function lostMs({ missing }: KeptMedia<SentTag>, killedAtMs: number): number {
  const [first] = missing
  return first === undefined ? 0 : Math.round(killedAtMs - first.atMs)
}

/** Publishes, kills, looks at what is left, starts again and looks at what was made of it. */
async function killOnce(server: TapedeckProcess, kill: number, moment: number) {
  const names = Array.from({ length: PUBLISHERS }, (_, i) => `k${kill}-${i}`)
  const publishers = await Promise.all(names.map((name) => PacedPublisher.start(server.rtmpPort, 'live', name, media)))
  const wait = new MachineWait(place.path, server.pid)
  await reach(server, publishers, kill, moment)
  const waitedMs = wait.stop(WAIT_WINDOW_MS)
  const killedAtMs = performance.now()
  const gone = server.end('SIGKILL')
  const sent = publishers.map((publisher) => [...publisher.sent])
  await gone
  for (const publisher of publishers) publisher.stop()

  const partsOf = (name: string) =>
    server
      .files()
      .filter((file) => file.startsWith(`live_${name}_`))
      .map((file) => join(server.recordings, file))
      .filter((path) => statSync(path).size > 0) // made, but not even in the journal yet when the kill came
  let worstMs = 0
  const asLeft: number[] = []
  for (const [i, name] of names.entries()) {
    const left = await keptMedia(partsOf(name), sent[i])
    asLeft.push(left.frames)
    worstMs = Math.max(worstMs, lostMs(left, killedAtMs))
    if (kill % PUBLISHERS === i) expect(await shownFrames(left.playable)).toBeGreaterThanOrEqual(left.frames)
  }
  expect(worstMs, `kill ${kill}: lost, having waited ${waitedMs} ms`).toBeLessThanOrEqual(MAX_LOSS_MS + waitedMs)

  const open = openEntries(server)
  await server.start()
  await recovery(server, open, kill)
  const recovered: string[] = []
  for (const [i, name] of names.entries()) {
    const { frames, unfinished, playable } = await keptMedia(partsOf(name), sent[i])
    expect(frames, `kill ${kill}: ${name} after recovery`).toBeGreaterThanOrEqual(asLeft[i])
    expect(unfinished, `kill ${kill}: ${name} after recovery`).toEqual([])
    if (kill % PUBLISHERS === i) recovered.push(...playable)
    else for (const path of playable) rmSync(path)
  }
  return { worstMs, waitedMs, recovered }
}

/** Waits for the moment of the kill: any, one in which files are changed for others, or one in which they are finished. */
async function reach(server: TapedeckProcess, publishers: readonly PacedPublisher[], kill: number, moment: number) {
  if (kill % 3 === 0) return delay(50 + moment * 1300)
  if (kill % 3 === 1) {
    mkdirSync(server.recordings, { recursive: true })
    const { promise, resolve } = Promise.withResolvers<void>()
    const watcher = watch(server.recordings, (_, name) => {
      if (name?.includes(`_k${kill}-`) && name.includes('_part2')) resolve()
    })
    await promise
    watcher.close()
    return delay(moment * 40)
  }
  await delay(200 + moment * 800)
  for (const publisher of publishers) void publisher.finish().catch(() => undefined)
  return delay(((moment * 7) % 1) * 160) // the end is read at the latest 100 ms later
}

/** Files that the journal has open, read from a copy: the next start must find everything as it was left. */
function openEntries(server: TapedeckProcess): string[] {
  const copy = join(place.path, `journal-${basename(server.data)}-${server.rtmpPort}`)
  mkdirSync(copy, { recursive: true })
  for (const name of ['state.db', 'state.db-wal']) {
    rmSync(join(copy, name), { force: true })
    if (existsSync(join(server.data, name))) cpSync(join(server.data, name), join(copy, name))
  }
  const journal = new SqliteJournal(join(copy, 'state.db'))
  const paths = journal.list().map(({ path }) => path)
  journal.close()
  return paths
}

/** Every file in `open` is repaired without being asked, and log and audit say so. */
async function recovery(server: TapedeckProcess, open: readonly string[], kill: number): Promise<void> {
  if (open.length > 0) await server.says(/"recovery is done"/)
  expect(openEntries(server), `kill ${kill}: journal`).toEqual([])
  const noted = (line: AuditLine) => line.event === 'repaired' || line.event === 'deleted'
  let audit = auditOf(server).filter(noted)
  while (!open.every((path) => audit.some((line) => line.path === path))) {
    await delay(10) // the audit is written behind the log
    audit = auditOf(server).filter(noted)
  }
  const said = server.lines.filter((line) => line.includes('is repaired and complete')).join('\n')
  for (const path of open) {
    const event = audit.findLast((line) => line.path === path)?.event
    expect(existsSync(path), path).toBe(event === 'repaired')
    if (event === 'repaired') expect(said, `kill ${kill}: log`).toContain(path)
  }
}

interface AuditLine {
  readonly event: string
  readonly path: string
}

function auditOf(server: TapedeckProcess): AuditLine[] {
  const lines = readFileSync(join(server.data, 'audit.log'), 'utf8').split('\n')
  return lines.filter((line) => line.startsWith('{') && line.endsWith('}')).map((line) => JSON.parse(line))
}

/** Frames that ffmpeg finds in the files, however they end. */
async function shownFrames(paths: readonly string[]): Promise<number> {
  if (paths.length === 0) return 0
  const inputs = paths.flatMap((path) => ['-i', path])
  const maps = paths.flatMap((_, i) => ['-map', String(i)])
  const args = ['-n', '5', 'ffmpeg', '-nostdin', '-v', 'quiet', ...inputs, ...maps]
  const { stdout } = await run('nice', [...args, '-c', 'copy', '-f', 'framecrc', '-'], { maxBuffer: 16 * 1024 * 1024 })
  return stdout.split('\n').filter((line) => /^\d/.test(line)).length
}

/** ffmpeg decodes the files without a complaint. They are removed then. */
async function decode(paths: readonly string[]): Promise<void> {
  if (paths.length === 0) return
  const inputs = paths.flatMap((path) => ['-i', path])
  const maps = paths.flatMap((_, i) => ['-map', String(i)])
  const args = ['-n', '10', 'ffmpeg', '-nostdin', '-hide_banner', '-v', 'warning', ...inputs, ...maps]
  const { stderr } = await run('nice', [...args, ...DECODED])
  expect(stderr, paths.join(' ')).toBe('')
  for (const path of paths) rmSync(path)
}
