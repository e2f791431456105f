import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { DatagramCounter, Impairer, type Impairment } from './udp-impairment.ts'
import type { ProxyCommand, ProxyReply } from './udp-proxy.ts'

const HOST = '127.0.0.1'
const SOCKET_BYTES = 4 * 1024 * 1024
const REBIND_MS = 2000

type Due = { readonly atMs: number; readonly send: () => void }

/** Carries datagrams out when they are due. */
class Departures {
  readonly #queue: Due[] = []
  #timer: NodeJS.Timeout | undefined

  at(atMs: number, send: () => void): void {
    if (atMs <= performance.now()) {
      send()
      return
    }
    let place = this.#queue.length
    while (place > 0 && this.#queue[place - 1].atMs > atMs) place--
    this.#queue.splice(place, 0, { atMs, send })
    if (place === 0) this.#arm()
  }

  #arm(): void {
    clearTimeout(this.#timer)
    const next = this.#queue[0]
    if (next !== undefined) this.#timer = setTimeout(() => this.#run(), Math.max(0, next.atMs - performance.now()))
  }

  #run(): void {
    const nowMs = performance.now() + 0.5
    for (let next = this.#queue[0]; next !== undefined && next.atMs <= nowMs; next = this.#queue[0]) {
      this.#queue.shift()
      next.send()
    }
    this.#arm()
  }
}

type Flow = { readonly client: RemoteInfo; readonly up: Impairer; readonly down: Impairer; socket: Socket | undefined }

class Middle {
  readonly #targetPort: number
  readonly #seed: number
  readonly #departures = new Departures()
  readonly #flows = new Map<string, Flow>()
  readonly up = new DatagramCounter()
  readonly down = new DatagramCounter()
  readonly socket = createSocket('udp4')
  #outageUntilMs = 0
  #impairments: { up: Impairment; down: Impairment } = { up: {}, down: {} }

  constructor(targetPort: number, seed: number) {
    this.#targetPort = targetPort
    this.#seed = seed
    this.socket.on('message', (bytes, client) => this.#fromClient(bytes, client)).on('error', () => undefined)
  }

  impair(up: Impairment, down: Impairment): void {
    this.#impairments = { up, down }
    for (const flow of this.#flows.values()) {
      flow.up.impairment = up
      flow.down.impairment = down
    }
  }

  outage(lengthMs: number): void {
    this.#outageUntilMs = performance.now() + lengthMs
  }

  /** Every client seems to come from another port from now on. */
  rebind(): void {
    for (const flow of this.#flows.values()) {
      const before = flow.socket?.removeAllListeners('message')
      setTimeout(() => before?.close(), REBIND_MS) // what it was given to send is sent
      this.#connect(flow)
    }
  }

  close(): void {
    this.socket.close()
    for (const { socket } of this.#flows.values()) socket?.close()
    this.#flows.clear()
  }

  #fromClient(bytes: Buffer, client: RemoteInfo): void {
    const key = `${client.address}:${client.port}`
    let flow = this.#flows.get(key)
    if (flow === undefined) {
      const seed = this.#seed + this.#flows.size * 2
      const nowMs = performance.now()
      flow = { client, up: new Impairer(seed, nowMs), down: new Impairer(seed + 1, nowMs), socket: undefined }
      this.#flows.set(key, flow)
      this.impair(this.#impairments.up, this.#impairments.down)
      this.#connect(flow)
    }
    const through = flow
    this.#carry(bytes, flow.up, this.up, () => through.socket?.send(bytes, this.#targetPort, HOST, () => undefined))
  }

  #connect(flow: Flow): void {
    const socket = createSocket({ type: 'udp4', recvBufferSize: SOCKET_BYTES })
    const { port, address } = flow.client
    socket
      .on('error', () => undefined)
      .on('message', (bytes) => {
        this.#carry(bytes, flow.down, this.down, () => this.socket.send(bytes, port, address, () => undefined))
      })
    flow.socket = socket
  }

  #carry(bytes: Buffer, impairer: Impairer, counter: DatagramCounter, send: () => void): void {
    const nowMs = performance.now()
    const times = nowMs < this.#outageUntilMs ? [] : impairer.decide(nowMs)
    counter.count(bytes, times.length)
    const guarded = () => {
      if (this.#flows.size > 0) send()
    }
    for (const atMs of times) this.#departures.at(atMs, guarded)
  }
}

const proxies = new Map<number, Middle>()
const reply = (message: ProxyReply) => process.send?.(message)

process.on('message', (command: ProxyCommand) => {
  const { id } = command
  if (command.type === 'open') {
    const proxy = new Middle(command.targetPort, command.seed)
    proxies.set(id, proxy)
    proxy.impair(command.up, command.down)
    proxy.socket.bind({ port: 0, address: HOST }, () => {
      proxy.socket.setRecvBufferSize(SOCKET_BYTES)
      reply({ type: 'open', id, port: proxy.socket.address().port })
    })
    return
  }
  const proxy = proxies.get(id)
  if (proxy === undefined) return
  if (command.type === 'impair') proxy.impair(command.up, command.down)
  else if (command.type === 'outage') proxy.outage(command.lengthMs)
  else if (command.type === 'rebind') proxy.rebind()
  else if (command.type === 'close') proxy.close()
  reply({ type: 'counts', id, counts: { up: proxy.up.counts(), down: proxy.down.counts() } })
})
process.on('disconnect', () => process.exit())
reply({ type: 'ready' })
