/**
 * The page of a room: `npx node examples/browser-room/serve.ts [port]`, beside a server that lets it in:
 * `npm start -- --cors-origins http://127.0.0.1:8090`.
 */
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'

const SCRIPT = 'text/javascript; charset=utf-8'
const FILES: Readonly<Record<string, readonly [name: string, type: string]>> = {
  '/': ['index.html', 'text/html; charset=utf-8'],
  '/room.css': ['room.css', 'text/css; charset=utf-8'],
  '/room.js': ['room.js', SCRIPT],
  '/tiles.js': ['tiles.js', SCRIPT],
  '/explain.js': ['explain.js', SCRIPT],
  '/recorded.js': ['recorded.js', SCRIPT],
}
const port = Number(process.argv[2] ?? 8090)

const server = createServer(async (request, response) => {
  const [name, type] = FILES[new URL(request.url ?? '/', 'http://localhost').pathname] ?? []
  if (name === undefined) response.writeHead(404).end()
  else response.writeHead(200, { 'content-type': type }).end(await readFile(join(import.meta.dirname, name)))
})
server.listen(port, '127.0.0.1', () => {
  const address = server.address()
  const at = typeof address === 'object' && address !== null ? address.port : port
  console.log(`http://127.0.0.1:${at}/?room=demo`)
})
