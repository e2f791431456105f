import { Agent, type IncomingMessage, request } from 'node:http'

/** An answer of the API. */
export interface ApiAnswer<T> {
  readonly status: number
  readonly body: T
}

/** Calls the API of one server over kept connections. */
export class ApiCaller {
  readonly #agent: Agent
  readonly #port: number

  /** @param connections at most so many at a time */
  constructor(port: number, connections: number) {
    this.#port = port
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections })
  }

  call<T>(method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<ApiAnswer<T>> {
    const text = body === undefined ? undefined : JSON.stringify(body)
    const headers = text === undefined ? {} : { 'content-type': 'application/json' }
    return new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port: this.#port, agent: this.#agent, method, path: `/api${path}`, headers }
      const call = request(options, (response) => {
        read(response).then((answer) => {
          const status = response.statusCode ?? 0
          if (status < 400) resolve({ status, body: JSON.parse(answer || 'null') })
          else reject(new Error(`${method} ${path}: ${status} ${answer.slice(0, 500)}`))
        }, reject)
      })
      call.on('error', reject)
      call.end(text)
    })
  }

  close(): void {
    this.#agent.destroy()
  }
}

async function read(response: IncomingMessage): Promise<string> {
  let text = ''
  for await (const piece of response.setEncoding('utf8')) text += piece
  return text
}
