import { connect, type Socket } from 'node:net'
import { table } from './measure.ts'
import { costOf } from './process-cost.ts'
import { startNginx, startTapedeck } from './servers.ts'

const CONNECTIONS = 1000

/** A connection that has shaken hands (plain handshake, RTMP 1.0 §5.2) and asks for nothing. */
function idleConnection(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(Buffer.concat([Buffer.of(3), Buffer.alloc(1536)])))
    let received = 0
    socket.on('error', reject)
    socket.on('data', (bytes) => {
      if (received < 3073 && received + bytes.length >= 3073) {
        socket.write(Buffer.alloc(1536))
        resolve(socket)
      }
      received += bytes.length
    })
  })
}

/** What a thousand connections cost that do nothing. */
export async function idle(): Promise<void> {
  const rows: string[][] = []
  for (const start of [() => startTapedeck('idle', []), startNginx]) {
    const server = await start()
    const sockets: Socket[] = []
    try {
      const before = costOf(server.pid).rssBytes
      while (sockets.length < CONNECTIONS) {
        sockets.push(...(await Promise.all(Array.from({ length: 50 }, () => idleConnection(server.rtmpPort)))))
      }
      const after = costOf(server.pid).rssBytes
      rows.push([
        server.name,
        (before / 1e6).toFixed(0),
        (after / 1e6).toFixed(0),
        ((after - before) / 1e3 / CONNECTIONS).toFixed(1),
      ])
    } finally {
      for (const socket of sockets) socket.destroy()
      await server.stop()
    }
  }
  console.log(`\n${CONNECTIONS} idle connections`)
  table(['server', 'RSS before MB', 'RSS with them MB', 'KB each'], rows)
}
