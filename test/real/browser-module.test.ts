/// <reference lib="dom" />
import { type ChildProcess, spawn } from 'node:child_process'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TapedeckClient } from '../../src/client/index.ts'
import { decodingFaults } from '../peers/decoding.ts'
import { freePort, scratch, TapedeckProcess } from '../peers/tapedeck.ts'
import { UdpProxies } from '../peers/udp-proxy.ts'
import { until } from '../peers/until.ts'

const directory = scratch('browser-module')
const ARGS =
  '--no-sandbox --disable-gpu --use-fake-device-for-media-stream --use-fake-ui-for-media-stream --allow-loopback-in-peer-connection ' +
  '--auto-select-desktop-capture-source=Entire --disable-features=WebRtcHideLocalIpsWithMdns --autoplay-policy=no-user-gesture-required'
const EXAMPLE = join(import.meta.dirname, '../../examples/browser-room/serve.ts')

const shared = { browser: undefined as Browser | undefined, pages: undefined as ChildProcess | undefined, origin: '' }
beforeAll(async () => {
  const port = await freePort()
  shared.origin = `http://127.0.0.1:${port}`
  shared.pages = spawn(process.execPath, [EXAMPLE, String(port)], { stdio: 'ignore' })
  shared.browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ARGS.split(' ') })
  await until(
    'the page of the example',
    async () => (await fetch(shared.origin).catch(() => undefined))?.ok || undefined,
  )
})
const cleanUps: (() => Promise<void>)[] = []
afterAll(async () => {
  for (const cleanUp of cleanUps) await cleanUp()
  await shared.browser?.close()
  shared.pages?.kill()
  await TapedeckProcess.endAll()
  directory.drop()
})

function start(name: string, ...flags: readonly string[]): Promise<TapedeckProcess> {
  const open = ['--record-all', '--record-min-free-mb', '0', '--webrtc-port', '0', '--cors-origins', shared.origin]
  return TapedeckProcess.start(join(directory.path, name), ...open, ...flags)
}

async function browser(): Promise<Browser> {
  if (shared.browser === undefined) throw new Error('no browser')
  return shared.browser
}

/** The example's page, joined as `name`. */
async function joined(server: TapedeckProcess, name: string): Promise<Page> {
  const page = await (await (await browser()).newContext()).newPage()
  await page.goto(`${shared.origin}/?room=demo&name=${name}&server=${server.http}&join`)
  return page
}

const stateIs = (page: Page, state: string) =>
  page.waitForFunction((wanted) => document.getElementById('state')?.textContent === wanted, state, { timeout: 60_000 })

// beside each other: each waits most of its time
describe.concurrent('a page with tapedeck/browser', () => {
  it('publishes camera and screen, shows the others, and comes back when the server was killed', async () => {
    const server = await start('room')
    const [alice, bob] = await Promise.all([joined(server, 'alice'), joined(server, 'bob')])
    await Promise.all([stateIs(alice, 'live'), stateIs(bob, 'live')])
    await alice.click('#screen')
    const shows = (caption: string) =>
      bob.waitForFunction(
        (text) =>
          [...document.querySelectorAll('figure')].some(
            (figure) =>
              figure.querySelector('figcaption')?.textContent === text &&
              (figure.querySelector('video')?.currentTime ?? 0) > 0.5,
          ),
        caption,
        { timeout: 60_000 },
      )
    await Promise.all([shows('alice'), shows("alice's screen")])
    await server.end('SIGKILL')
    const back = stateIs(alice, 'reconnecting').then(() => stateIs(alice, 'live'))
    await server.start()
    await back
    await shows('alice')
    await alice.click('#leave')
    await stateIs(alice, 'stopped')
    await server.says(/"method":"DELETE","path":"\/whip\/demo\/alice","status":200/)
    await alice.waitForFunction(() => {
      const durations = [...document.querySelectorAll<HTMLVideoElement>('#recorded video')].map(
        ({ duration }) => duration,
      )
      return durations.every((duration) => duration > 0) && durations.reduce((sum, each) => sum + each, 0) > 1
    })
    await Promise.all([alice.context().close(), bob.context().close()])
    await server.end()
    for (const file of server.files()) expect(await decodingFaults(join(server.recordings, file))).toBe('')
  })

  it('uploads where WebRTC is refused; what a dead tab left comes in with the next page', async () => {
    const server = await start('upload', '--webrtc', 'off')
    const client = new TapedeckClient({ baseUrl: server.http })
    const context = await (await browser()).newContext()
    const first = await context.newPage()
    await first.goto(`${shared.origin}/?room=demo&name=alice&server=${server.http}&join`)
    await stateIs(first, 'uploading')
    await until('what alice uploads, on disk', async () => {
      const { participants } = await client.getRoom('demo').catch(() => ({ participants: [] }))
      const isOnDisk = server.files().some((file) => statSync(join(server.recordings, file)).size > 0)
      return (isOnDisk && participants.find(({ source }) => source === 'upload')) || undefined
    })
    await server.end('SIGKILL')
    const kept = await until('chunks that are not acknowledged', async () => {
      const count = await first.evaluate(storedChunks)
      return count >= 3 ? count : undefined
    })
    await first.close()
    await server.start()
    const second = await context.newPage()
    await second.goto(shared.origin)
    expect(await second.evaluate(storedChunks)).toBeGreaterThanOrEqual(kept)
    const to = JSON.stringify({ url: server.http, room: 'demo', participant: 'alice' })
    const resume = `import('${server.http}/browser.js').then(({ resumeUploads }) => resumeUploads(${to}))`
    const resumed = await second.evaluate(resume) // as text: an import that nothing rewrites
    expect(resumed).toBe(1)
    expect(await second.evaluate(storedChunks)).toBe(0)
    await server.says(/"reason":"finished".*publishing ended/)
    await context.close()
    await server.end()
    const files = server.files()
    expect(files.length).toBeGreaterThan(0)
    for (const file of files) expect(await decodingFaults(join(server.recordings, file))).toBe('')
  })

  it('uploads when the server is there and its UDP port is no more; a backup has all of it', async () => {
    const port = await freePort()
    const server = await start('udp', '--webrtc-port', String(port))
    const client = new TapedeckClient({ baseUrl: server.http })
    const proxies = await UdpProxies.start()
    cleanUps.push(() => proxies.close())
    const proxy = await proxies.open(port, 1)
    const context = await (await browser()).newContext()
    await context.addInitScript(throughProxy, proxy.port)
    const page = await context.newPage()
    await page.goto(shared.origin)
    const to = JSON.stringify({ url: server.http, room: 'demo', participant: 'alice', backupParticipant: 'spare' })
    // as text: an import that nothing rewrites
    await page.evaluate(`(async () => {
      const { publish } = await import('${server.http}/browser.js')
      const stream = await navigator.mediaDevices.getUserMedia({ video: { width: 320, height: 240 }, audio: true })
      globalThis.states = []
      globalThis.publisher = publish({ ...${to}, stream, simulcast: false })
      publisher.on('state', ({ state }) => states.push(state))
    })()`)
    const reached = (state: string) => page.waitForFunction(`states.includes('${state}')`, null, { timeout: 90_000 })
    await reached('live')
    const sources = async () => {
      const { participants } = await client.getRoom('demo').catch(() => ({ participants: [] }))
      const now = participants.map((each) => `${each.participant_id} ${each.source}`).sort()
      return now.length === 2 ? now : undefined
    }
    expect(await until('both of alice', sources)).toEqual(['alice whip', 'spare upload'])
    await proxy.outage(600_000)
    await reached('uploading')
    await until('what alice uploads', async () => (await sources())?.includes('alice upload') || undefined)
    await page.evaluate('publisher.stop()')
    expect(await page.evaluate('states')).toEqual(['live', 'reconnecting', 'uploading', 'stopped'])
    expect(await page.evaluate(storedChunks)).toBe(0)
    await context.close()
    const { recordings } = await client.listRecordings()
    await server.end()
    const files = server.files()
    expect(files.filter((file) => file.includes('_spare_'))).toHaveLength(1)
    expect(files.filter((file) => file.includes('_alice_')).length).toBeGreaterThan(0)
    expect(recordings).toHaveLength(2) // within the window alice's goes on
    for (const file of files) expect(await decodingFaults(join(server.recordings, file))).toBe('')
  })
})

/** For the page: its media goes by the proxy, and the server is told of no other way to it. */
function throughProxy(proxyPort: number): void {
  const { fetch } = globalThis
  globalThis.fetch = (input, init) =>
    init?.method === 'PATCH' ? Promise.resolve(new Response(null, { status: 204 })) : fetch(input, init)
  const { setRemoteDescription } = RTCPeerConnection.prototype
  RTCPeerConnection.prototype.setRemoteDescription = function (description) {
    const { type, sdp: answer = '' } = description
    const sdp = answer.replaceAll(/(?<=^a=candidate:.* )[^ ]+ \d+(?= typ host)/gm, `127.0.0.1 ${proxyPort}`)
    return Reflect.apply(setRemoteDescription, this, [{ type, sdp }])
  }
}

/** How many chunks are in the page's store. */
function storedChunks(): Promise<number> {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open('tapedeck', 1)
    opening.onerror = () => reject(opening.error)
    opening.onsuccess = () => {
      const database = opening.result
      const counting = database.transaction('chunks').objectStore('chunks').count()
      counting.onsuccess = () => {
        database.close()
        resolve(counting.result)
      }
    }
  })
}
