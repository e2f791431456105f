/// <reference lib="dom" />
import { createReadStream, statSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { extname } from 'node:path'
import { type Browser, chromium, type Page } from 'playwright-core'

const TYPES: Readonly<Record<string, string>> = {
  '.mp4': 'video/mp4',
  '.mkv': 'video/webm',
  '.webm': 'video/webm',
  '.weba': 'audio/webm',
  '.ogg': 'audio/ogg',
}
const ARGS =
  '--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync --autoplay-policy=no-user-gesture-required'

/** What a `<video>` element made of a file. */
export interface Playback {
  readonly durationSeconds: number
  readonly width: number
  readonly height: number
  /** Where playback stood after playing on from the start. */
  readonly playedToSeconds: number
  /** Where it stood after seeking to `seekTo` and playing on; frames were shown there. */
  readonly seekedToSeconds: number
  readonly framesAfterSeek: number
  readonly error: string | undefined
}

/** How wide the picture of a file was in a `<video>`. */
export interface PictureSizes {
  readonly played: readonly number[]
  readonly sought: readonly number[]
  readonly error: string | undefined
}

/** Debian's Chromium, headless, with a server of its own that hands out local files by byte ranges. */
export class ChromiumPlayer {
  readonly #browser: Browser
  readonly #server: Server
  readonly #files = new Map<string, string>()

  private constructor(browser: Browser, server: Server) {
    this.#browser = browser
    this.#server = server
  }

  static async launch(): Promise<ChromiumPlayer> {
    const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ARGS.split(' ') })
    const server = createServer()
    const player = new ChromiumPlayer(browser, server)
    server.on('request', (request, response) => {
      const path = player.#files.get(request.url ?? '')
      if (path === undefined) {
        response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><video muted></video>')
        return
      }
      const size = statSync(path).size
      const range = /bytes=(\d+)-(\d*)/.exec(request.headers.range ?? '')
      const start = Number(range?.[1] ?? 0)
      const end = range?.[2] ? Math.min(Number(range[2]), size - 1) : size - 1
      const headers = {
        'content-type': TYPES[extname(path)] ?? 'application/octet-stream',
        'accept-ranges': 'bytes',
        'content-length': end - start + 1,
      }
      response.writeHead(
        range ? 206 : 200,
        range ? { ...headers, 'content-range': `bytes ${start}-${end}/${size}` } : headers,
      )
      createReadStream(path, { start, end })
        .on('error', () => response.destroy())
        .pipe(response)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return player
  }

  /** Plays `path` for a second of media, seeks to `seekToSeconds`, and plays on for half a second there. */
  async play(path: string, seekToSeconds: number): Promise<Playback> {
    const url = `/${this.#files.size}${extname(path)}`
    this.#files.set(url, path)
    return this.playFrom(url, seekToSeconds)
  }

  /** The same with what another server has, in a page that is not from there. */
  async playFrom(url: string, seekToSeconds: number): Promise<Playback> {
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('the file server has no port')
    const page = await this.#browser.newPage()
    try {
      await page.goto(`http://127.0.0.1:${address.port}/page`)
      return await watch(page, url, seekToSeconds)
    } finally {
      await page.close()
    }
  }

  /** Plays all of `path`, four times as fast: every size that the picture had in its order, and those at `seconds` afterwards. */
  async sizes(path: string, seconds: readonly number[]): Promise<PictureSizes> {
    const url = `/${this.#files.size}${extname(path)}`
    this.#files.set(url, path)
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('the file server has no port')
    const page = await this.#browser.newPage()
    try {
      await page.goto(`http://127.0.0.1:${address.port}/page`)
      return await measure(page, url, seconds)
    } finally {
      await page.close()
    }
  }

  async close(): Promise<void> {
    await this.#browser.close()
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

function watch(page: Page, url: string, seekTo: number): Promise<Playback> {
  return page.evaluate(
    async ([source, target]) => {
      const video = document.querySelector('video')
      if (video === null) throw new Error('no video element')
      const until = (what: () => boolean) =>
        new Promise<void>((resolve, reject) => {
          const deadline = performance.now() + 30_000
          const look = () => {
            if (what()) resolve()
            else if (video.error !== null) reject(new Error(`media error ${video.error.code}: ${video.error.message}`))
            else if (performance.now() > deadline) reject(new Error(`nothing moves at ${video.currentTime} s`))
            else setTimeout(look, 20)
          }
          look()
        })
      let playedTo = 0
      let seekedTo = 0
      let frames = 0
      let error: string | undefined
      try {
        video.src = source
        await until(() => video.readyState >= 2)
        await video.play()
        await until(() => video.currentTime >= 1)
        playedTo = video.currentTime
        const before = video.getVideoPlaybackQuality().totalVideoFrames
        video.currentTime = target
        await until(() => !video.seeking && video.currentTime >= target + 0.5)
        seekedTo = video.currentTime
        frames = video.getVideoPlaybackQuality().totalVideoFrames - before
      } catch (caught) {
        error = String(caught)
      }
      return {
        durationSeconds: video.duration,
        width: video.videoWidth,
        height: video.videoHeight,
        playedToSeconds: playedTo,
        seekedToSeconds: seekedTo,
        framesAfterSeek: frames,
        error,
      }
    },
    [url, seekTo] as const,
  )
}

function measure(page: Page, url: string, seconds: readonly number[]): Promise<PictureSizes> {
  return page.evaluate(
    async ([source, places]) => {
      const video = document.querySelector('video')
      if (video === null) throw new Error('no video element')
      const played: number[] = []
      const sought: number[] = []
      const note = () => {
        if (video.videoWidth > 0 && played.at(-1) !== video.videoWidth) played.push(video.videoWidth)
      }
      const happens = (name: string) =>
        new Promise<void>((resolve, reject) => {
          const timer = setTimeout(() => reject(new Error(`no "${name}" at ${video.currentTime} s`)), 30_000)
          video.addEventListener('error', () => reject(new Error(`media error: ${video.error?.message}`)), {
            once: true,
          })
          video.addEventListener(
            name,
            () => {
              clearTimeout(timer)
              resolve()
            },
            { once: true },
          )
        })
      let error: string | undefined
      try {
        video.addEventListener('resize', note)
        video.src = source
        const ended = happens('ended')
        video.playbackRate = 4
        await video.play()
        await ended
        note()
        video.removeEventListener('resize', note)
        for (const place of places) {
          const found = happens('seeked')
          const shown = new Promise((resolve) => video.requestVideoFrameCallback((_, { width }) => resolve(width)))
          video.currentTime = place
          await found
          sought.push(Number(await shown))
        }
      } catch (caught) {
        error = String(caught)
      }
      return { played, sought, error }
    },
    [url, seconds] as const,
  )
}
