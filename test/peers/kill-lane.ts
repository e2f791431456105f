import { existsSync, readdirSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { random } from '../../fuzz/mutate.ts'
import { openContainer } from '../../src/container/formats.ts'
import { nodeIdentity } from '../../src/state/node-identity.ts'
import { LIVE_STATUSES, type RecordingObject } from '../../src/state/recording-object.ts'
import { DiskStorage } from '../../src/storage/disk.ts'
import { PacedPublisher } from './paced-publisher.ts'
import { type Fate, RandomClient } from './recording-fates.ts'
import { TapedeckProcess } from './tapedeck.ts'

/** How long after a start catalogue and disk may differ from what was promised, ms. */
const SETTLE_MS = 15_000
/** How long recordings wait for those who were cut off: rounds follow each other sooner, the last one waits. */
const WINDOW = ['--revival-window', '8s', '--reconnect-window', '0s', '--max-recording-duration', '15s']
const PAGE = 100
const MEDIA = /\.(?:mp4|webm|mkv|flv)$/

/**
 * A server that is asked for random things while it records, killed at a random moment, and started again, over and over:
 * after each start it is looked whether the catalogue and the disk say what was promised.
 */
export class KillLane {
  kills = 0
  readonly complaints: string[] = []
  readonly server: TapedeckProcess
  readonly client: RandomClient
  readonly #rooms = ['stage', 'side']
  readonly #source: string
  readonly #pick: (below: number) => number
  readonly #checked = new Set<string>()

  private constructor(server: TapedeckProcess, source: string, seed: number) {
    this.server = server
    this.#source = source
    this.#pick = random(seed)
    this.client = new RandomClient(server.http, this.#rooms, this.#pick)
  }

  static async start(directory: string, source: string, seed: number, flags: readonly string[]): Promise<KillLane> {
    const quiet = ['--no-thumbnails', '--log-level', 'warn', '--fsync', 'never']
    return new KillLane(await TapedeckProcess.start(directory, ...quiet, ...WINDOW, ...flags), source, seed)
  }

  /** Records, is asked for things, dies, comes back; sometimes dies again on the way. */
  async round(): Promise<void> {
    const publishers = await this.#publish()
    const asked: Promise<void>[] = []
    const endsAtMs = performance.now() + 60 + this.#pick(500)
    while (performance.now() < endsAtMs) {
      asked.push(this.client.act())
      await delay(this.#pick(25))
    }
    await this.#kill()
    for (const publisher of publishers) publisher.stop()
    await Promise.all(asked)
    if (this.#pick(4) === 0) await this.#dieWhileStarting()
    await this.server.start()
    await this.check()
  }

  /**
   * Compares what the server says with what it had promised, and with the disk. Recordings that go on may: `isOver` says that
   * nobody has come back for long enough, and none may be live any more.
   */
  async check(isOver = false): Promise<void> {
    const endsAtMs = performance.now() + SETTLE_MS
    for (;;) {
      const complaints = await this.#differences(isOver)
      if (complaints.length === 0) return
      if (performance.now() > endsAtMs) {
        this.complaints.push(...complaints.slice(0, 50))
        return
      }
      await delay(50)
    }
  }

  async #differences(isOver: boolean): Promise<string[]> {
    const complaints: string[] = []
    const complain = (text: string) => complaints.push(`after kill ${this.kills}: ${text}`)
    const recordings = await this.list()
    const ids = recordings.map(({ recording_id }) => recording_id)
    if (new Set(ids).size !== ids.length) complain('an id is listed twice')
    for (const { recording_id: id, status } of recordings) {
      if (status === 'processing' || (isOver && LIVE_STATUSES.includes(status))) complain(`${id} is still ${status}`)
    }
    if (complaints.length > 0) return complaints
    const byId = new Map(recordings.map((recording) => [recording.recording_id, recording]))
    for (const fate of this.client.fates.values()) compare(fate, byId.get(fate.id), complain)
    for (const recording of recordings) {
      const { recording_id: id, status } = recording
      if (this.#checked.has(id) || LIVE_STATUSES.includes(status)) continue
      const before = complaints.length
      await checkFiles(recording, complain)
      if (complaints.length === before) this.#checked.add(id)
    }
    this.#checkDisk(recordings, complain)
    return complaints
  }

  /** All pages of the list. */
  async list(): Promise<RecordingObject[]> {
    const all: RecordingObject[] = []
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const place = cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`
      const response = await fetch(`${this.server.http}/api/recordings?all=true&limit=${PAGE}${place}`)
      const page: { recordings: RecordingObject[]; next_cursor: string | null } = await response.json()
      if (!response.ok) throw new Error(`list: ${response.status} ${JSON.stringify(page)}`)
      all.push(...page.recordings)
      cursor = page.next_cursor
    }
    return all
  }

  /** What the server calls itself. */
  get node(): string {
    return nodeIdentity(this.server.data)
  }

  async #publish(): Promise<PacedPublisher[]> {
    return Promise.all(
      this.#rooms.map((room) => PacedPublisher.start(this.server.rtmpPort, room, 'alice', this.#source)),
    )
  }

  async #kill(): Promise<void> {
    await this.server.end('SIGKILL')
    this.kills++
  }

  async #dieWhileStarting(): Promise<void> {
    const starting = this.server.start().catch(() => undefined) // it dies before it answers, or just after
    await delay(150 + this.#pick(600))
    await this.#kill()
    await starting
  }

  /** Everything on disk belongs to a recording that is listed. */
  #checkDisk(recordings: readonly RecordingObject[], complain: Complain): void {
    const root = this.server.recordings
    if (!existsSync(root)) return
    const directories = new Set<string>()
    const known = new Set<string>()
    const waiting = recordings.filter(({ status }) => LIVE_STATUSES.includes(status)).map(endingOf)
    for (const { local_path, files } of recordings) {
      if (local_path === null) continue
      directories.add(relative(root, join(local_path, '..')))
      for (const { file_name } of files) known.add(relative(root, join(local_path, '..', file_name)))
    }
    for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
      const name = relative(root, join(entry.parentPath, entry.name))
      if (entry.isDirectory() && !directories.has(name)) {
        if (waiting.some((ending) => name.endsWith(ending))) continue
        const held = existsSync(join(root, name)) ? readdirSync(join(root, name)).join(', ') : 'gone now'
        const owner = recordings.find(({ recording_id: id }) => name.endsWith(`_${id.slice(0, 8)}`))
        complain(`directory ${name} (${held}) belongs to nothing; its recording is ${owner?.status ?? 'not listed'}`)
      } else if (entry.isFile() && MEDIA.test(name) && !known.has(name) && !isJustMade(root, name)) {
        complain(`file ${name} belongs to nothing`)
      } else if (/\.(?:tmp|deleted)$/.test(name)) complain(`${name} was left`)
    }
  }
}

type Complain = (text: string) => void

/** Of the directory of a recording that was asked for. */
function endingOf({ recording_id }: RecordingObject): string {
  return `_${recording_id.slice(0, 8)}`
}

function compare(fate: Fate, recording: RecordingObject | undefined, complain: Complain): void {
  const { id } = fate
  if (recording === undefined) {
    if (fate.remove === 'none') complain(`${id} is missing`)
    return
  }
  const { status } = recording
  if (fate.remove === 'told') complain(`${id} was deleted and is listed as ${status}`)
  else if (fate.cancel === 'told' && status !== 'cancelled') complain(`${id} was cancelled and is ${status}`)
  else if (fate.stop === 'told' && fate.cancel === 'none' && LIVE_STATUSES.includes(status)) {
    complain(`${id} was stopped and is ${status}`)
  } else if (status === 'cancelled' && fate.cancel === 'none') complain(`${id} is cancelled, which nobody asked for`)
  else if (fate.hadMedia && fate.cancel === 'none' && status !== 'completed') {
    complain(`${id} was stopped with media in it, and is ${status}`)
  }
}

async function checkFiles(recording: RecordingObject, complain: Complain): Promise<void> {
  const { recording_id: id, status, files } = recording
  const present = files.filter(({ state }) => state !== 'removed')
  if (status === 'completed' && present.length === 0) complain(`${id} is completed without a file`)
  if (status !== 'completed' && present.length > 0) complain(`${id} is ${status} and has files`)
  if (present.length > 0 && recording.local_path === null) complain(`${id} has no main file`)
  if (present.length === 0 || recording.local_path === null) return
  for (const file of present) {
    const path = join(recording.local_path, '..', file.file_name)
    const problem = await problemOf(path, file.size_bytes)
    if (problem !== undefined) complain(`${id} ${file.file_name} (${file.state}): ${problem}`)
  }
}

/** Killed between making a file of an automatic recording and noting it: nobody knows that it is ours. */
function isJustMade(root: string, name: string): boolean {
  return !name.includes('/') && (statSync(join(root, name), { throwIfNoEntry: false })?.size ?? 0) === 0
}

/** What is wrong with one file; undefined for nothing. */
async function problemOf(path: string, sizeBytes: number): Promise<string | undefined> {
  if (!existsSync(path)) return 'is not there'
  const size = statSync(path).size
  if (size !== sizeBytes) return `has ${size} bytes, ${sizeBytes} are said`
  const file = await new DiskStorage().open(path)
  try {
    const reader = await openContainer(file)
    let samples = 0
    for await (const { size: bytes } of reader.samples()) if (bytes > 0) samples++
    if (samples === 0) return 'has no frame'
    if (!reader.finalised) return 'is not finalised'
    return reader.faults.length === 0 ? undefined : `has faults: ${JSON.stringify(reader.faults.slice(0, 3))}`
  } finally {
    await file.close()
  }
}
