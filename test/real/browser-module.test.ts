/// <reference lib="dom" />
import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TapedeckClient } from '../../src/client/index.ts'
import { decodingFaults } from '../peers/decoding.ts'
import { freePort, scratch, TapedeckProcess } from '../peers/tapedeck.ts'
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
afterAll(async () => {
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

describe('a page with tapedeck/browser', () => {
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
    await alice.waitForFunction(() => (document.querySelector<HTMLVideoElement>('#recorded video')?.duration ?? 0) > 1)
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
    await until('what alice uploads', async () => {
      const { participants } = await client.getRoom('demo').catch(() => ({ participants: [] }))
      return participants.find(({ source, received_bytes }) => source === 'upload' && received_bytes > 0)
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
})

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
