import { startTapedeck } from './servers.ts'

/** A server that publishers send RTP to, and that keeps it. */
export interface WebrtcServer {
  readonly name: string
  readonly pid: number
  readonly directory: string
  /** Returns the answer to an offer. */
  publish(name: string, offer: string): Promise<string>
  /** Ends a publisher; its files are complete some time after. */
  hangUp(name: string): Promise<void>
  stop(): Promise<void>
}

/** One that others watch over WHEP, too. */
export interface WatchedServer extends WebrtcServer {
  /** Returns the answer to the offer of a viewer of `name`. */
  watch(name: string, offer: string): Promise<string>
}

/** tapedeck as users start it, recording whoever publishes by WHIP. */
export async function startWhip(flags: readonly string[] = []): Promise<WatchedServer> {
  const server = await startTapedeck('whip', [...flags, '--no-thumbnails'])
  const http = `http://127.0.0.1:${server.httpPort}`
  const resources = new Map<string, string>()
  return {
    name: 'tapedeck',
    pid: server.pid,
    directory: server.directory,
    publish: async (name, offer) => {
      const { answer, resource } = await exchange(`${http}/whip/bench/${name}`, offer)
      resources.set(name, resource)
      return answer
    },
    watch: async (name, offer) => (await exchange(`${http}/whep/bench/${name}`, offer)).answer,
    hangUp: async (name) => {
      await fetch(resources.get(name) ?? '', { method: 'DELETE' })
    },
    stop: server.stop,
  }
}

async function exchange(url: string, offer: string): Promise<{ answer: string; resource: string }> {
  const headers = { 'content-type': 'application/sdp' }
  const response = await fetch(url, { method: 'POST', headers, body: offer })
  const answer = await response.text()
  if (response.status !== 201) throw new Error(`${url}: ${response.status} ${answer}`)
  return { answer, resource: new URL(response.headers.get('location') ?? '', url).href }
}
