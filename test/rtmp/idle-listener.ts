/** A listener in a process of its own, for measuring: prints its port, and its memory whenever it is asked by a line. */
import { createInterface } from 'node:readline'
import { RtmpListener } from '../../src/rtmp/listener.ts'
import { LogLines, Relay } from './relay.ts'

const limits = { maxConnections: 2000, perAddressPerSecond: 1000 }
const listener = new RtmpListener({ host: '127.0.0.1', port: 0, limits }, new Relay(), new LogLines())
const { port } = await listener.listen()
console.log(port)
for await (const _line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify({ rss: process.memoryUsage().rss, connections: listener.stats.connections }))
}
await listener.close(100)
