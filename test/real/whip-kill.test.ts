import { join } from 'node:path'
import { setTimeout as later } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { browserTurn, TURN_TIMEOUT_MS } from '../peers/browser-turn.ts'
import { ChromiumPeers, type PublisherPage } from '../peers/chromium-publisher.ts'
import { judged } from '../peers/judged-file.ts'
import { scratch, TapedeckProcess } from '../peers/tapedeck.ts'
import { until } from '../peers/until.ts'
import { WhipServer } from '../peers/whip-rig.ts'

const WHO = { alice: 'VP8', bob: 'H264', carol: 'VP9' } as const
const names = Object.keys(WHO).filter((name): name is keyof typeof WHO => name in WHO)
/** What a death may cost of what was made before it: in the browser, on the way, and not written yet, ms. */
const MAX_LOSS_MS = 1500
/** How far a file may lie from where its pictures were made: a browser is not always equally late, ms. */
const MAX_SHIFT_MS = 150

const place = scratch('whip-kill')
let peers: ChromiumPeers
let handOn: (() => Promise<void>) | undefined
beforeAll(async () => {
  handOn = await browserTurn()
  peers = await ChromiumPeers.launch()
}, TURN_TIMEOUT_MS)
afterAll(async () => {
  await peers?.close()
  await TapedeckProcess.endAll()
  place.drop()
  await handOn?.()
})

async function begun(name: string) {
  const server = await WhipServer.start(join(place.path, name), peers.origin, '--no-record-all')
  const page = await peers.page({ width: 320, height: 180, rateFps: 25 })
  await later(2500)
  const id = await server.record([...names])
  await publish(server, page)
  await later(6000)
  return { server, page, id }
}

async function publish(server: WhipServer, page: PublisherPage): Promise<void> {
  for (const name of names) {
    await page.publish(name, { url: server.whip(name), codec: WHO[name], maxBitratesBps: [400_000] })
  }
}

/** The file decodes, and has what was made until shortly before the death. */
async function expectKeptUntil(path: string, diedAtMs: number, holes: number): Promise<void> {
  const file = await judged(path)
  expect(file.marks.complaints).toBe('')
  expect([file.tornPictures, file.misplacedPictures]).toEqual([0, 0])
  expect(file.holesMs.length).toBeLessThanOrEqual(holes)
  const before = Math.max(...file.madeAtMs.filter((at) => at <= diedAtMs))
  console.log(`${path.replace(/.*\//, '')}: ${diedAtMs - before} ms lost`)
  expect(diedAtMs - before).toBeLessThanOrEqual(MAX_LOSS_MS)
  if (holes > 0) expect(Math.max(...file.madeAtMs)).toBeGreaterThan(diedAtMs + 3000)
}

describe.concurrent('under load, of three browsers', () => {
  it('the process of WebRTC dies: recordings go on when publishers come back', async () => {
    const { server, page, id } = await begun('media')
    const pid = await until('the media process', () => server.mediaPid)
    const diedAtMs = Date.now()
    process.kill(pid, 'SIGKILL')
    await until('nobody to be connected', async () =>
      (await server.recording(id)).participants.every((each) => !each.is_connected) ? true : undefined,
    )
    expect(server.tapedeck.isRunning).toBe(true)
    for (const name of names) await page.drop(name)
    await publish(server, page)
    expect(server.mediaPid).not.toBe(pid)
    await later(6000)
    for (const name of names) expect(await page.close(name)).toBe(200)
    const { files, participants } = await server.stopped(id)
    expect(participants.map(({ reconnects }) => reconnects)).toEqual([1, 1, 1])
    expect(files.map(({ participant_id }) => participant_id).sort()).toEqual([...names])
    for (const { path } of files) await expectKeptUntil(server.pathOf(path), diedAtMs, 1)
  })

  it('the server dies: after the next start the same recording goes on with whoever comes back', async () => {
    const { server, page, id } = await begun('server')
    const mediaPid = await until('the media process', () => server.mediaPid)
    const diedAtMs = Date.now()
    await server.tapedeck.end('SIGKILL')
    await until('the media process to end, too', () => (isAlive(mediaPid) ? undefined : true))
    for (const name of names) await page.drop(name)
    await server.tapedeck.start()
    expect((await server.recording(id)).status).toBe('recording')
    await publish(server, page)
    await later(6000)
    for (const name of names) expect(await page.close(name)).toBe(200)
    const { files, participants, error } = await server.stopped(id)
    expect(error).toBeNull()
    expect(participants.map(({ reconnects }) => reconnects)).toEqual([1, 1, 1])
    for (const name of names) {
      const [before, after, ...others] = files.filter(({ participant_id }) => participant_id === name)
      if (before === undefined || after === undefined) throw new Error(`${name} has ${files.length} files`)
      expect(others).toEqual([])
      await expectKeptUntil(server.pathOf(before.path), diedAtMs, 0)
      const [first, second] = [await judged(server.pathOf(before.path)), await judged(server.pathOf(after.path))]
      expect([second.marks.complaints, second.tornPictures]).toEqual(['', 0])
      const shiftMs = after.offset_ms - before.offset_ms - (second.zeroMs - first.zeroMs)
      console.log(`${name}: goes on ${shiftMs.toFixed(1)} ms off the wall clock`)
      expect(Math.abs(shiftMs)).toBeLessThanOrEqual(MAX_SHIFT_MS)
    }
  })
})

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
