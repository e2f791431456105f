import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as later } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { browserTurn, TURN_TIMEOUT_MS } from '../peers/browser-turn.ts'
import { ChromiumPeers } from '../peers/chromium-publisher.ts'
import { judged } from '../peers/judged-file.ts'
import { ModulePage } from '../peers/module-page.ts'
import { recorded } from '../peers/recorded.ts'
import { scratch, TapedeckProcess } from '../peers/tapedeck.ts'
import { TurnServer } from '../peers/turn-server.ts'
import { WhipServer } from '../peers/whip-rig.ts'

const SECRET = 'known-to-the-turn-server-alone'
const RELAYS = { browser: '127.0.0.2', both: '127.0.0.3' } as const
const PUBLISHED_MS = 5000

const place = scratch('whip-turn')
const relays: TurnServer[] = []
let peers: ChromiumPeers
let handOn: (() => Promise<void>) | undefined
beforeAll(async () => {
  handOn = await browserTurn()
  peers = await ChromiumPeers.launch()
  writeFileSync(join(place.path, 'secret'), `${SECRET}\n`)
}, TURN_TIMEOUT_MS)
afterAll(async () => {
  await peers?.close()
  await TapedeckProcess.endAll()
  for (const relay of relays) await relay.close()
  place.drop()
  await handOn?.()
})

/** A server on loopback alone, with a TURN server. */
async function begun(name: keyof typeof RELAYS, options: { deniedPeer?: string }, ...flags: readonly string[]) {
  const relay = await TurnServer.start(join(place.path, `turn-${name}`), {
    secret: SECRET,
    relayAddress: RELAYS[name],
    ...options,
  })
  relays.push(relay)
  const ice = [
    '--ice-server',
    relay.url,
    '--turn-secret-file',
    join(place.path, 'secret'),
    '--webrtc-bind',
    '127.0.0.1',
  ]
  const server = await WhipServer.start(
    join(place.path, name),
    peers.origin,
    '--reconnect-window',
    '0s',
    ...ice,
    ...flags,
  )
  const { page } = await peers.page({ width: 320, height: 180, rateFps: 20 })
  const module = new ModulePage(page)
  await module.prepare()
  const to = { url: server.tapedeck.http, room: 'live', participant: name, iceTransportPolicy: 'relay' } as const
  return { relay, server, module, to }
}

async function expectWhole(server: WhipServer, name: string): Promise<void> {
  const [{ report, files }] = await recorded(server.tapedeck, name)
  expect(report.state).toBe('completed')
  const file = await judged(files[0])
  console.log(`${name}: ${file.madeAtMs.length} pictures, ${file.sound.length} beeps`)
  expect(file.marks.complaints).toBe('')
  expect([file.tornPictures, file.misplacedPictures, file.holesMs]).toEqual([0, 0, []])
  const [first, last] = [file.madeAtMs[0], file.madeAtMs[file.madeAtMs.length - 1]]
  expect(last - first).toBeGreaterThan(PUBLISHED_MS - 1000)
  expect(file.sound.length).toBeGreaterThan(2)
}

/** To whom it has given addresses, each once: passwords of one peer may end at different seconds. */
function usersOf(relay: TurnServer): string[] {
  return [...new Set(relay.users.map((user) => user.replace(/^\d+:/, '')))].sort()
}

describe.concurrent('by a TURN server whose passwords end by themselves', () => {
  it('Chromium publishes and watches, with nothing but relays, which the answer tells it of', async () => {
    const { relay, server, module, to } = await begun('browser', {})
    await module.publish(to)
    await Promise.all([later(PUBLISHED_MS), module.watch(to)])
    expect(await module.ways()).toEqual([
      { local: 'relay', remote: 'host', remoteAddress: '127.0.0.1' },
      { local: 'relay', remote: 'host', remoteAddress: '127.0.0.1' },
    ])
    await module.leave()
    await expectWhole(server, 'browser')
    expect(usersOf(relay)).toEqual(['live%2Fbrowser'])
  })

  it('tapedeck is reached by a relay of its own, where there is no other way', async () => {
    const { relay, server, module, to } = await begun('both', { deniedPeer: '127.0.0.1' }, '--webrtc-port', '0')
    await module.publish(to)
    await later(PUBLISHED_MS)
    expect(await module.ways()).toEqual([{ local: 'relay', remote: 'relay', remoteAddress: RELAYS.both }])
    await module.leave()
    await expectWhole(server, 'both')
    expect(usersOf(relay)).toEqual(['live%2Fboth', 'tapedeck'])
  })
})
