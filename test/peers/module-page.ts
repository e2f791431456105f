/// <reference lib="dom" />
import type { Page } from 'playwright-core'

/** Which participant of which server, for `tapedeck/browser`. */
export interface ModuleTarget {
  readonly url: string
  readonly room: string
  readonly participant: string
  readonly iceTransportPolicy?: RTCIceTransportPolicy
}

/** Which way media goes: types and addresses of the candidates on both ends. */
export interface Way {
  readonly local: string
  readonly remote: string
  readonly remoteAddress: string
}

declare global {
  interface Window {
    /** The connections that were made in this page, in their order. */
    connections: RTCPeerConnection[]
  }
}

/** Uses `tapedeck/browser`, as the server gives it to pages, in the page of a `PublisherPage`. */
export class ModulePage {
  readonly #page: Page

  constructor(page: Page) {
    this.#page = page
  }

  /** From now on connections are known. */
  async prepare(): Promise<void> {
    await this.#page.evaluate(() => {
      window.connections = []
      window.RTCPeerConnection = new Proxy(window.RTCPeerConnection, {
        construct(target, args: [RTCConfiguration?]) {
          const connection = new target(...args)
          window.connections.push(connection)
          return connection
        },
      })
    })
  }

  /** Publishes what the page makes; resolves when it is live. */
  async publish(to: ModuleTarget): Promise<void> {
    // as text: an import that nothing rewrites
    await this.#page.evaluate(`import('${to.url}/browser.js').then(({ publish }) => new Promise((resolve, reject) => {
      const options = { ...${JSON.stringify(to)}, stream: window.peer.stream(), simulcast: false, transport: 'whip' }
      window.publisher = publish(options)
      window.publisher.on('state', ({ state, error }) => {
        if (state === 'live') resolve()
        else if (state !== 'connecting') reject(error)
      })
    }))`)
  }

  /** Watches until two seconds of it were shown. */
  async watch(to: ModuleTarget): Promise<void> {
    await this.#page.evaluate(`import('${to.url}/browser.js').then(({ watch }) => {
      const video = document.body.appendChild(document.createElement('video'))
      video.muted = video.autoplay = true
      watch(${JSON.stringify(to)}, video)
    })`)
    await this.#page.waitForFunction(() =>
      [...document.querySelectorAll('video')].some(({ currentTime }) => currentTime > 2),
    )
  }

  /** Of each connection that stands. */
  async ways(): Promise<Way[]> {
    return await this.#page.evaluate(async () => {
      const found = []
      for (const connection of window.connections) {
        const all = [...(await connection.getStats()).values()]
        const pair = all.find(
          ({ type, nominated, state }) => type === 'candidate-pair' && nominated && state === 'succeeded',
        )
        const [local, remote] = [pair?.localCandidateId, pair?.remoteCandidateId].map((id) =>
          all.find((each) => each.id === id),
        )
        if (connection.connectionState !== 'connected') continue
        found.push({ local: local?.candidateType, remote: remote?.candidateType, remoteAddress: remote?.address })
      }
      return found
    })
  }

  /** Says goodbye. */
  async leave(): Promise<void> {
    await this.#page.evaluate('window.publisher.stop()')
  }
}
