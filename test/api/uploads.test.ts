import { request } from 'node:http'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { pieces, recordedBytes, sha256 } from '../ingest/upload-rig.ts'
import { ApiServer, type Claims } from '../peers/api-server.ts'
import { until } from '../peers/until.ts'

const shared: { server?: ApiServer } = {}
beforeAll(async () => {
  shared.server = await ApiServer.start({ requireToken: true })
})
afterAll(() => shared.server?.stop())

const tokenOf = async (claims: Claims) => String(await shared.server?.token(claims))
const publisher = () => tokenOf({ rooms: ['demo'], grants: ['publish'] })
/** Who may do something, but not this. */
const refused: readonly Claims[] = [
  { rooms: ['other'], grants: ['publish'] },
  { rooms: ['demo'], grants: ['play'] },
  { sub: 'v', role: 'viewer', rooms: ['demo'] },
]

/** A chunk over HTTP, of bob; `init` beside its body. */
async function post(seq: number, bytes: Uint8Array, init: RequestInit = {}, extra = '') {
  const path = '/api/rooms/demo/participants/bob/chunks'
  const url = `${shared.server?.http}${path}?session=h&seq=${seq}&sha256=${sha256(bytes)}${extra}`
  const response = await fetch(url, { method: 'POST', body: Uint8Array.from(bytes), ...init })
  const body: { next_seq?: number; error?: { code: string } } = JSON.parse(await response.text())
  return {
    status: response.status,
    code: body.error?.code,
    next: body.next_seq,
    retry: response.headers.get('retry-after'),
  }
}
const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } })

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
  const answers: { type?: string; seq?: number | null; next_seq?: number; early?: number[]; code?: string }[] = []
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
  const { socket, answered } = await connect(await publisher())
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

it('takes chunks over a WebSocket in any order and any number of times, and none that is not what it says', async () => {
  const { socket, answered } = await connect(await publisher())
  const parts = pieces(recordedBytes('vp8.webm'), 5)
  const send = (seq: number, sum = sha256(parts[seq])) => {
    socket.send(message({ session: 'disorder', seq, sha256: sum, kind: 'camera', final: seq === 4 }, parts[seq]))
  }
  for (const seq of [3, 1]) send(seq)
  send(0, sha256(Buffer.of(1)))
  for (const seq of [0, 3, 1, 4, 2, 4]) send(seq)
  const answers = await answered(9)
  expect(answers.map(({ seq, next_seq, early, code }) => code ?? [seq, next_seq, early])).toEqual([
    [3, 0, [3]],
    [1, 0, [1, 3]],
    'TD_CHUNK_CHECKSUM',
    [0, 2, [3]],
    [3, 2, [3]],
    [1, 2, [3]],
    [4, 2, [3, 4]],
    [2, 5, []],
    [4, 5, []],
  ])
  socket.terminate()
})

it('lets in only who may publish, and no message without end', async () => {
  for (const claims of refused) expect(await (await connect(await tokenOf(claims))).closed).toBe(4403)
  for (const token of ['', 'nonsense']) expect(await (await connect(token)).closed).toBe(4401)
  const [one, two] = [await connect(await publisher()), await connect(await publisher())]
  expect(await (await connect(await publisher())).closed).toBe(1013) // try again later
  one.socket.terminate()
  await one.closed
  const { socket, closed } = two
  socket.send(Buffer.alloc(1_100_000))
  expect(await closed).toBe(1009)
})

it('over HTTP lets in only who may publish, in header or query', async () => {
  expect(await post(0, Buffer.of(1))).toMatchObject({ status: 401, code: 'TD_BAD_TOKEN' })
  expect(await post(0, Buffer.of(1), bearer('nonsense'))).toMatchObject({ status: 401, code: 'TD_BAD_TOKEN' })
  for (const claims of refused) {
    const token = await tokenOf(claims)
    expect(await post(0, Buffer.of(1), bearer(token))).toMatchObject({ status: 403, code: 'TD_FORBIDDEN' })
    expect(await post(0, Buffer.of(1), {}, `&token=${token}`)).toMatchObject({ status: 403 })
  }
  const ways = [bearer(await publisher()), {}] as const
  const [first, second] = pieces(recordedBytes('vp8.webm'), 2)
  expect(await post(0, first, ways[0])).toMatchObject({ status: 200, next: 1 })
  expect(await post(1, second, ways[1], `&token=${await publisher()}&final=true`)).toMatchObject({
    status: 200,
    next: 2,
  })
})

it('keeps nothing of what is too much, cut off or wrong, and counts it', async () => {
  const init = bearer(await publisher())
  const big = Buffer.alloc(4_000_000)
  const to = (session: string) => `/api/rooms/demo/participants/carl/chunks?session=${session}`
  const send = (seq: number, body: Buffer, sum = sha256(body)) =>
    fetch(`${shared.server?.http}${to('c')}&seq=${seq}&sha256=${sum}`, {
      method: 'POST',
      body: Uint8Array.from(body),
      ...init,
    })
  for (let i = 0; i < 3; i++) expect((await send(1, Buffer.alloc(5_000_000))).status).toBe(413)
  expect((await send(1, big)).status).toBe(200)
  expect((await send(1, big)).status).toBe(200)
  expect((await send(2, big)).status).toBe(200)
  const busy = await send(3, big)
  expect([busy.status, busy.headers.get('retry-after')]).toEqual([429, '1'])
  expect((await send(4, Buffer.of(1), sha256(Buffer.of(2)))).status).toBe(400)
  expect((await send(2, Buffer.of(1))).status).toBe(409)
  expect((await send(99, Buffer.of(1))).status).toBe(409)
  const half = request(`${shared.server?.http}${to('c')}&seq=5&sha256=${sha256(big)}`, {
    method: 'POST',
    headers: { ...init.headers, 'content-length': 100_000 },
  })
  half.on('error', () => undefined)
  await new Promise((resolve) => half.write(Buffer.alloc(50_000), resolve))
  half.destroy()
  const figures = await until('what was refused', async () => {
    const page = await (
      await fetch(`${shared.server?.http}/metrics`, bearer(await tokenOf({ grants: ['metrics'] })))
    ).text()
    const values = new Map(
      Array.from(page.matchAll(/^(tapedeck_upload\S*) (\d+)$/gm), ([, name, value]) => [name, Number(value)]),
    )
    const isThere = values.has('tapedeck_upload_refused_total{code="TD_CHUNK_CUT"}')
    return isThere && values.get('tapedeck_uploads{state="live"}') === 1 ? values : undefined
  })
  expect(Object.fromEntries(figures)).toEqual({
    'tapedeck_uploads{state="live"}': 1,
    'tapedeck_uploads{state="resting"}': 3,
    tapedeck_upload_in_flight_bytes: 8_000_000,
    tapedeck_upload_early_chunks: 2,
    tapedeck_upload_spooled_bytes: expect.any(Number), // what is in files goes after a while
    tapedeck_upload_chunks_total: 5 + 5 + 2 + 2,
    tapedeck_upload_repeated_chunks_total: 3 + 1,
    tapedeck_upload_bytes_total: 8_000_000 + 3 * recordedBytes('vp8.webm').length,
    'tapedeck_upload_refused_total{code="TD_CHUNK_CHECKSUM"}': 2,
    'tapedeck_upload_refused_total{code="TD_CHUNK_CONFLICT"}': 3,
    'tapedeck_upload_refused_total{code="TD_CHUNK_CUT"}': 1,
    'tapedeck_upload_refused_total{code="TD_CHUNK_SIZE"}': 3,
    'tapedeck_upload_refused_total{code="TD_UPLOAD_BUSY"}': 1,
  })
})
