import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { CatalogueEntry } from '../../src/state/catalogue-entry.ts'
import { openStateStore } from '../../src/state/open-store.ts'
import { cli } from '../peers/cli.ts'
import { madeMedia } from '../peers/ffmpeg.ts'
import { KillLane } from '../peers/kill-lane.ts'
import { type RedisPeer, startRedis } from '../peers/redis.ts'
import { scratch, TapedeckProcess } from '../peers/tapedeck.ts'

/** On each store. */
const KILLS = 200
const LANES = 2
const SEED = 20_261_121
const place = scratch('service-kill')
let source = ''
const peers: RedisPeer[] = []

beforeAll(async () => {
  source = await madeMedia(
    'service-kill.flv',
    '-f lavfi -i testsrc2=size=320x180:rate=30 -f lavfi -i sine=frequency=440:sample_rate=44100 -t 10 -c:v libx264 -preset veryfast -b:v 500k -g 15 -pix_fmt yuv420p -c:a aac -ac 2 -f flv',
  )
})
afterAll(async () => {
  await TapedeckProcess.endAll()
  await Promise.all(peers.map((peer) => peer.stop()))
  place.drop()
})

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

/** The whole catalogue of a state, by id, as it can be made from manifests. */
async function catalogue(dataDir: string, redisUrl?: string, prefix = 'x:'): Promise<Map<string, CatalogueEntry>> {
  const lifetimes = { stateTtlMs: 3_600_000, indexTtlMs: 3_600_000 }
  const store = await openStateStore({ dataDir, redisUrl, prefix, ...lifetimes, logger: silent })
  const all = new Map<string, CatalogueEntry>()
  let cursor: string | undefined
  do {
    const page = await store.recordings.list({ limit: 1000, ...(cursor === undefined ? {} : { cursor }) })
    for (const entry of page.entries) if (entry.manifest_path !== null) all.set(entry.recording.recording_id, entry)
    cursor = page.next
  } while (cursor !== undefined)
  await store.close()
  return all
}

async function killed(lane: KillLane, kills: number): Promise<void> {
  while (lane.kills < kills && lane.complaints.length === 0) await lane.round()
}

describe(`a recording service that is killed ${KILLS} times`, () => {
  it.concurrent.each(['sqlite', 'redis'] as const)('keeps every promise, on %s', { timeout: 600_000 }, async (kind) => {
    const redis = kind === 'redis' ? await startRedis() : undefined
    if (redis !== undefined) peers.push(redis)
    const lanes = await Promise.all(
      Array.from({ length: LANES }, (_, i) => {
        const state = redis === undefined ? [] : ['--redis', redis.url, '--redis-prefix', `lane${i}:`]
        const automatic = i === 0 ? [] : ['--no-record-all']
        return KillLane.start(join(place.path, `${kind}-${i}`), source, SEED + i, [...state, ...automatic])
      }),
    )
    await Promise.all(lanes.map((lane) => killed(lane, KILLS / LANES)))
    await Promise.all(lanes.map((lane) => lane.check(true))) // nobody comes back any more
    for (const [i, lane] of lanes.entries()) {
      expect(lane.complaints).toEqual([])
      expect(lane.client.failures).toEqual([])
      for (const act of ['start', 'pause', 'stop', 'cancel', 'mark', 'hold', 'delete']) {
        expect(lane.client.answered[act], act).toBeGreaterThan(1)
      }
      expect(await lane.server.end()).toBe(0)
      const data = join(place.path, `${kind}-${i}-anew`)
      const { recordings } = lane.server
      const { code, stdout } = await cli(place.path, [
        'reindex',
        '--data-dir',
        data,
        '--record-dir',
        recordings,
        '--json',
      ])
      expect([code, JSON.parse(stdout)]).toMatchObject([
        0,
        { updated: 0, missing: [], missingFiles: [], copies: [], faulty: [] },
      ])
      const before = await catalogue(lane.server.data, redis?.url, `lane${i}:`)
      expect(before.size).toBeGreaterThan(KILLS / LANES / 4)
      expect(await catalogue(data)).toEqual(before)
      for (const { id, isHeld, markers, remove } of lane.client.fates.values()) {
        const entry = before.get(id)
        if (entry === undefined) continue
        expect(entry.markers.map(({ marker_id }) => marker_id)).toEqual(expect.arrayContaining(markers))
        expect([id, entry.hold || !isHeld, remove === 'told']).toEqual([id, true, false])
      }
    }
  })
})
