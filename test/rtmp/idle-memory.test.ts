import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { expect, it } from 'vitest'

it('keeps 1000 idle connections small', async () => {
  const script = new URL('./idle-listener.ts', import.meta.url).pathname
  const child = spawn(process.execPath, [script], { stdio: ['pipe', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async (): Promise<string> => String((await lines.next()).value)
  const ask = async (): Promise<{ rss: number; connections: number }> => {
    child.stdin.write('?\n')
    return JSON.parse(await next())
  }
  const port = Number(await next())
  const before = await ask()
  const hello = Buffer.concat([Buffer.from([3]), Buffer.alloc(3072)])
  const sockets: Socket[] = []
  for (let round = 0; round < 20; round++) {
    const some = Array.from({ length: 50 }, () => connect(port, '127.0.0.1'))
    await Promise.all(some.map((socket) => once(socket, 'connect')))
    for (const socket of some) socket.write(hello)
    await Promise.all(some.map((socket) => once(socket, 'data')))
    sockets.push(...some)
  }
  const after = await ask()
  const perConnection = (after.rss - before.rss) / sockets.length / 1024
  console.log(`1000 idle connections: ${perConnection.toFixed(1)} KiB each, ${(after.rss / 1e6).toFixed(0)} MB in all`)
  for (const socket of sockets) socket.destroy()
  child.stdin.end()
  await exited
  expect(after.connections).toBe(1000)
  expect(perConnection).toBeLessThan(60)
})
