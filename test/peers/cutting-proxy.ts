import { once } from 'node:events'
import { createServer, connect as dial, type Server, type Socket } from 'node:net'
import { freePort } from './tapedeck.ts'

/**
 * Where the next request is cut off: before any of it arrives, with half of it on its way, or when it has been carried out and
 * its answer is on the way back.
 */
export type Cut = 'before' | 'half' | 'after'

/** Between a client and a Redis: cuts the connection in the middle of what is said, when told to. */
export class CuttingProxy {
  readonly url: string
  readonly #server: Server
  readonly #port: number
  readonly #sockets = new Set<Socket>()
  #cut: Cut | undefined
  /** How many connections were cut. */
  cuts = 0

  private constructor(port: number, targetPort: number) {
    this.#port = port
    this.url = `redis://127.0.0.1:${port}`
    this.#server = createServer((client) => this.#join(client, targetPort))
  }

  static async start(targetPort: number): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(await freePort(), targetPort)
    proxy.#server.listen(proxy.#port, '127.0.0.1')
    await once(proxy.#server, 'listening')
    return proxy
  }

  /** The next request is cut off; what only asks whether Redis is there is let pass. */
  cutNext(cut: Cut): void {
    this.#cut = cut
  }

  /** Whether the next request still waits to be cut off. */
  get isArmed(): boolean {
    return this.#cut !== undefined
  }

  /** All connections at once. */
  cutAll(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  async stop(): Promise<void> {
    this.cutAll()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #join(client: Socket, targetPort: number): void {
    const target = dial(targetPort, '127.0.0.1')
    const end = () => {
      client.destroy()
      target.destroy()
    }
    for (const socket of [client, target]) {
      this.#sockets.add(socket)
      socket.on('error', end).on('close', () => {
        this.#sockets.delete(socket)
        end()
      })
    }
    let isMute = false
    client.on('data', (bytes) => {
      const cut = isProbe(bytes) ? undefined : this.#cut
      if (cut === undefined) return void target.write(bytes)
      this.#cut = undefined
      this.cuts++
      if (cut === 'after') {
        isMute = true
        target.write(bytes)
      } else if (cut === 'half') target.write(bytes.subarray(0, bytes.length >> 1), end)
      else end()
    })
    target.on('data', (bytes) => {
      if (isMute) end()
      else client.write(bytes)
    })
  }
}

/** Whether all that is said is the question whether Redis is there; a request may come in the same piece. */
function isProbe(bytes: Buffer): boolean {
  const commands = bytes.toString('latin1').match(/(?:^|\r\n)\*\d+\r\n/g) ?? []
  return commands.length === 1 && bytes.includes('probe\r\n')
}
