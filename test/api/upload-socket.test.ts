import { afterAll, beforeAll, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { pieces, recordedBytes, sha256 } from '../ingest/upload-rig.ts'
import { ApiServer } from '../peers/api-server.ts'

const shared: { server?: ApiServer } = {}
beforeAll(async () => {
  shared.server = await ApiServer.start({ requireToken: true })
})
afterAll(() => shared.server?.stop())

function message(header: object, bytes: Uint8Array): Buffer {
  const text = Buffer.from(JSON.stringify(header))
  const length = Buffer.alloc(4)
  length.writeUInt32BE(text.length)
  return Buffer.concat([length, text, bytes])
}

async function connect(token: string, path = 'demo/participants/alice') {
  const socket = new WebSocket(
    `${shared.server?.http.replace('http', 'ws')}/api/rooms/${path}/chunks/socket?token=${token}`,
  )
  const answers: { type?: string; seq?: number | null; next_seq?: number; code?: string }[] = []
  let told: () => void = () => undefined
  socket.on('message', (data) => {
    answers.push(JSON.parse(String(data)))
    told()
  })
  const closed = new Promise<number>((resolve) => socket.on('close', resolve))
  const answered = async (count: number) => {
    while (answers.length < count) await new Promise<void>((resolve) => (told = resolve))
    return answers
  }
  await new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject))
  return { socket, closed, answered }
}

it('takes chunks over a WebSocket and answers each once it is on disk, in their order', async () => {
  const token = await shared.server?.token({ rooms: ['demo'], grants: ['publish'] })
  const { socket, answered } = await connect(String(token))
  const parts = pieces(recordedBytes('vp8.webm'), 5)
  parts.forEach((bytes, seq) => {
    socket.send(message({ session: 'a', seq, sha256: sha256(bytes), kind: 'camera', final: seq === 4 }, bytes))
  })
  socket.send(message({ session: 'a', seq: 2, sha256: sha256(Buffer.of(1)) }, Buffer.of(1)))
  socket.send(Buffer.of(0, 0, 9, 9, 1))
  const answers = await answered(7)
  expect(answers.slice(0, 5).map(({ type, seq, next_seq }) => [type, seq, next_seq])).toEqual([
    ['chunk', 0, 1],
    ['chunk', 1, 2],
    ['chunk', 2, 3],
    ['chunk', 3, 4],
    ['chunk', 4, 5],
  ])
  expect(answers.slice(5).map(({ type, seq, code }) => [type, seq, code])).toEqual([
    ['error', 2, 'TD_CHUNK_CONFLICT'],
    ['error', null, 'TD_MALFORMED'],
  ])
  socket.terminate()
})

it('lets in only who may publish, and no message without end', async () => {
  const other = await shared.server?.token({ rooms: ['other'], grants: ['publish'] })
  expect(await (await connect(String(other))).closed).toBe(4403)
  expect(await (await connect('nonsense')).closed).toBe(4401)
  const token = await shared.server?.token({ rooms: ['demo'], grants: ['publish'] })
  const { socket, closed } = await connect(String(token))
  socket.send(Buffer.alloc(1_100_000))
  expect(await closed).toBe(1009)
})
