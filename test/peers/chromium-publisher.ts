/// <reference lib="dom" />
import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { stripTypeScriptTypes } from 'node:module'
import { join } from 'node:path'
import { type Browser, chromium, type Page } from 'playwright-core'
import type { PagePublish, PictureOptions, ReceivedFigures, SentFigures, SoundClock } from './browser/publisher-page.ts'

const ARGS = [
  '--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update',
  '--disable-sync --autoplay-policy=no-user-gesture-required --disable-background-timer-throttling',
  '--disable-renderer-backgrounding --disable-backgrounding-occluded-windows --allow-loopback-in-peer-connection',
  // small pictures have three layers, too; addresses are told as they are
  '--force-fieldtrials=WebRTC-LegacySimulcastLayerLimit/Disabled/ --disable-features=WebRtcHideLocalIpsWithMdns',
]
  .join(' ')
  .split(' ')
const SCRIPTS = ['publisher-page', 'picture-worker', 'sound-worklet', 'time-code']

/** Flashes and beeps of all publishers are where the wall clock is at a multiple of this, ms. */
export const MARK_PERIOD_MS = 1037

const DEFAULTS: PictureOptions = { width: 640, height: 360, rateFps: 30, markPeriodMs: MARK_PERIOD_MS, freshRows: 8 }

/** Debian's Chromium, headless, and the server that its pages come from. */
export class ChromiumPeers {
  readonly #browser: Browser
  readonly #server: Server

  private constructor(browser: Browser, server: Server) {
    this.#browser = browser
    this.#server = server
  }

  static async launch(...args: readonly string[]): Promise<ChromiumPeers> {
    const scripts = new Map(
      SCRIPTS.map((name) => {
        const source = readFileSync(join(import.meta.dirname, 'browser', `${name}.ts`), 'utf8')
        return [`/${name}.ts`, stripTypeScriptTypes(source)]
      }),
    )
    const server = createServer((request, response) => {
      const script = scripts.get(request.url ?? '')
      const type = script === undefined ? 'text/html' : 'text/javascript'
      response.writeHead(200, { 'content-type': type })
      response.end(script ?? '<!doctype html><script type="module" src="/publisher-page.ts"></script>')
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: [...ARGS, ...args] })
    return new ChromiumPeers(browser, server)
  }

  /** Where its pages come from. */
  get origin(): string {
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('the server of pages has no port')
    return `http://127.0.0.1:${address.port}`
  }

  /** A page that makes pictures and sound; what it publishes shows the same. */
  async page(options: Partial<PictureOptions> = {}): Promise<PublisherPage> {
    const page = await this.#browser.newPage()
    await page.goto(this.origin)
    await page.waitForFunction(() => window.peer !== undefined)
    await page.evaluate((given) => window.peer.start(given), { ...DEFAULTS, ...options })
    return new PublisherPage(page)
  }

  async close(): Promise<void> {
    await this.#browser.close()
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

/** One page: one source of picture and sound, any number of connections by name. */
export class PublisherPage {
  readonly page: Page

  constructor(page: Page) {
    this.page = page
  }

  /** Publishes by WHIP; resolves when connected, with how long that took, ms. */
  publish(id: string, options: PagePublish): Promise<number> {
    return this.page.evaluate(([name, given]) => window.peer.publish(name, given), [id, options] as const)
  }

  /** Watches by WHEP; resolves when connected. */
  watch(id: string, options: Pick<PagePublish, 'url' | 'token' | 'via'>): Promise<number> {
    return this.page.evaluate(([name, given]) => window.peer.watch(name, given), [id, options] as const)
  }

  sent(id: string): Promise<SentFigures> {
    return this.page.evaluate((name) => window.peer.sent(name), id)
  }

  received(id: string): Promise<ReceivedFigures> {
    return this.page.evaluate((name) => window.peer.received(name), id)
  }

  describe(id: string): Promise<{ offer: string; answer: string; resource: string }> {
    return this.page.evaluate((name) => window.peer.describe(name), id)
  }

  /** Other pictures from now on. */
  change(options: Partial<PictureOptions>): Promise<void> {
    return this.page.evaluate((given) => window.peer.change(given), options)
  }

  /** Stops encoding, so that what was encoded can be counted. */
  silence(id: string): Promise<void> {
    return this.page.evaluate((name) => window.peer.silence(name), id)
  }

  setActive(id: string, rid: string, active: boolean): Promise<void> {
    return this.page.evaluate((given) => window.peer.setActive(...given), [id, rid, active] as const)
  }

  /** DELETE, then the end of the connection; the status of the answer. */
  close(id: string): Promise<number> {
    return this.page.evaluate((name) => window.peer.close(name), id)
  }

  /** The end of the connection, without a word by HTTP. */
  drop(id: string): Promise<void> {
    return this.page.evaluate((name) => window.peer.drop(name), id)
  }

  /** How steadily the sound ran: where its clock stood to the wall clock, every two seconds. */
  soundClocks(): Promise<SoundClock[]> {
    return this.page.evaluate(() => window.peer.soundClocks)
  }
}
