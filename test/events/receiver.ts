import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { verifyWebhook, type WebhookBody } from '../../src/events/webhook-signature.ts'

/** One request as it came. */
export interface Received {
  readonly event: WebhookBody
  readonly headers: IncomingMessage['headers']
  readonly atMs: number
  /** What was answered; 0 for nothing. */
  readonly status: number
}

/** What a receiver does with a request: a status, or `hang` for no answer at all. */
export type Behaviour = (event: WebhookBody, tries: number) => number | 'hang'

/** A receiver of webhooks as a user writes one: checks the signature, then answers as the test wants. */
export class WebhookReceiver {
  readonly requests: Received[] = []
  behaviour: Behaviour = () => 204
  /** Of requests whose signature did not hold. */
  readonly refusals: string[] = []
  readonly #secret: string
  #server: Server | undefined
  #port = 0
  #onRequest: (() => void)[] = []

  constructor(secret: string) {
    this.#secret = secret
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/hook?key=of-the-receiver`
  }

  /** Ids of events that were taken, in order, repetitions too. */
  taken(): Received[] {
    return this.requests.filter(({ status }) => status >= 200 && status < 300)
  }

  /** On the port that it had before, if it had one. */
  async up(): Promise<this> {
    const server = createServer((request, response) => void this.#answer(request, response))
    this.#server = server
    await new Promise<void>((resolve, reject) => {
      server.on('error', reject)
      server.listen(this.#port, '127.0.0.1', resolve)
    })
    const address = server.address()
    if (typeof address === 'object' && address !== null) this.#port = address.port
    return this
  }

  async down(): Promise<void> {
    const server = this.#server
    if (server === undefined) return
    this.#server = undefined
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }

  /** Resolves as soon as `holds` does; looked at after each request. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((resolve) => this.#onRequest.push(resolve))
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    try {
      const event = verifyWebhook(this.#secret, request.headers, Buffer.concat(chunks))
      const tries = this.requests.filter((each) => each.event.webhook_id === event.webhook_id).length + 1
      const done = this.behaviour(event, tries)
      const status = done === 'hang' ? 0 : done
      this.requests.push({ event, headers: request.headers, atMs: Date.now(), status })
      if (done !== 'hang') response.writeHead(done).end(done >= 400 ? 'no, thank you' : undefined)
    } catch (error) {
      this.refusals.push(String(error))
      response.writeHead(400).end()
    }
    for (const resolve of this.#onRequest.splice(0)) resolve()
  }
}
