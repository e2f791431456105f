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

/** tapedeck as users start it, recording whoever publishes by WHIP. */
export async function startWhip(flags: readonly string[] = []): Promise<WebrtcServer> {
  const server = await startTapedeck('whip', [...flags, '--no-thumbnails'])
  const http = `http://127.0.0.1:${server.httpPort}`
  const resources = new Map<string, string>()
  return {
    name: 'tapedeck',
    pid: server.pid,
    directory: server.directory,
    publish: async (name, offer) => {
      const headers = { 'content-type': 'application/sdp' }
      const response = await fetch(`${http}/whip/bench/${name}`, { method: 'POST', headers, body: offer })
      const answer = await response.text()
      if (response.status !== 201) throw new Error(`WHIP: ${response.status} ${answer}`)
      resources.set(name, new URL(response.headers.get('location') ?? '', http).href)
      return answer
    },
    hangUp: async (name) => {
      await fetch(resources.get(name) ?? '', { method: 'DELETE' })
    },
    stop: async () => {
      await server.quiet()
      await server.stop()
    },
  }
}
