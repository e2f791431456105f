import { SignJWT, UnsecuredJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { OPERATIONS, type OperationId } from '../../src/api/rest/operations.ts'
import { ROUTES } from '../../src/api/rest/routes.ts'
import { TapedeckClient } from '../../src/client/index.ts'
import { ApiServer } from '../peers/api-server.ts'

/**
 * Who may do what, as a table: one line for each operation, one column for each caller and target. `+` lets pass, `-` is 403.
 * Recordings: alice's own in "demo", bob's in "demo", bob's in "other". Rooms: demo, demo, other.
 */
const COLUMNS = [
  ['user', 'own'],
  ['user', 'demo'],
  ['user', 'other'],
  ['viewer', 'demo'],
  ['viewer', 'other'],
  ['operator', 'own'],
  ['operator', 'demo'],
  ['operator', 'other'],
  ['roomAdmin', 'demo'],
  ['roomAdmin', 'other'],
  ['admin', 'demo'],
  ['admin', 'other'],
  ['stranger', 'own'],
] as const
const MATRIX: Readonly<Record<OperationId, string>> = {
  //                       user viewer operator room's admin stranger
  startRecording: /*     */ '++- -- ++- +- ++ -',
  stopRecording: /*      */ '+-- -- ++- +- ++ -',
  pauseRecording: /*     */ '+-- -- ++- +- ++ -',
  resumeRecording: /*    */ '+-- -- ++- +- ++ -',
  cancelRecording: /*    */ '+-- -- ++- +- ++ -',
  getRecordingStatus: /* */ '+-- +- ++- +- ++ -',
  listRoomRecordings: /* */ '++- +- ++- +- ++ -',
  listRecordings: /*     */ '+++ ++ +++ ++ ++ +',
  getRecording: /*       */ '+-- +- ++- +- ++ -',
  deleteRecording: /*    */ '+-- -- +-- +- ++ -',
  listFiles: /*          */ '+-- +- ++- +- ++ -',
  downloadFile: /*       */ '+-- +- ++- +- ++ -',
  createFileLink: /*     */ '+-- +- ++- +- ++ -',
  listThumbnails: /*     */ '+-- +- ++- +- ++ -',
  getReport: /*          */ '+-- +- ++- +- ++ -',
  listMarkers: /*        */ '+-- +- ++- +- ++ -',
  addMarker: /*          */ '+-- -- ++- +- ++ -',
  holdRecording: /*      */ '--- -- ++- +- ++ -',
  releaseRecording: /*   */ '--- -- ++- +- ++ -',
  listRooms: /*          */ '--- ++ +++ ++ ++ -',
  getRoom: /*            */ '--- +- ++- +- ++ -',
  listParticipants: /*   */ '--- -- ++- +- ++ -',
  disconnectParticipant: '--- -- ++- +- ++ -',
  uploadChunk: /*        */ '++- -- --- -- -- -', // whose token grants "publish"
  getUpload: /*          */ '++- -- --- -- -- -',
  listJobs: /*           */ '--- -- +++ ++ ++ -',
  retryJob: /*           */ '--- -- +++ ++ ++ -',
  cancelJob: /*          */ '--- -- +++ ++ ++ -',
  listDeliveries: /*     */ '--- -- --- -- ++ -',
  replayDelivery: /*     */ '--- -- --- -- ++ -',
  getServer: /*          */ '--- -- +++ ++ ++ -',
  getOpenApi: /*         */ '+++ ++ +++ ++ ++ +',
  getDocs: /*            */ '+++ ++ +++ ++ ++ +',
}
const PUBLIC: readonly string[] = ['getOpenApi', 'getDocs']
/** For streams, by the same tokens as they. */
const OF_STREAMS: readonly string[] = ['uploadChunk', 'getUpload']
const MOUNTS = ['/api', '/api/webrtc']
const operations = Object.keys(OPERATIONS).filter((id): id is OperationId => id in OPERATIONS)

type Target = 'own' | 'demo' | 'other'
/** Each target twice: on hold, so that nobody who may delete it does, and for those who take it off hold. */
type Targets = Readonly<Record<Target, { readonly room: string; readonly held: string; readonly free: string }>>

const shared = { server: undefined as ApiServer | undefined, targets: undefined as Targets | undefined }
const tokens = new Map<string, string>()

function rig(): { server: ApiServer; targets: Targets } {
  const { server, targets } = shared
  if (server === undefined || targets === undefined) throw new Error('not started')
  return { server, targets }
}

beforeAll(async () => {
  const server = await ApiServer.start({ requireToken: true, maxRequestRate: 1_000_000, maxRecordings: 100 })
  shared.server = server
  const root = await server.token({ sub: 'root', role: 'admin' })
  const client = new TapedeckClient({ baseUrl: server.http, token: root })
  const ended = async (room: string, user_id: string, isHeld: boolean): Promise<string> => {
    const { recording_id } = await client.startRecording(room, { user_id, participants: ['nobody'] })
    await client.stopRecording(room, recording_id)
    await server.server.control.finished(recording_id)
    if (isHeld) await client.holdRecording(recording_id)
    return recording_id
  }
  const target = async (room: string, user: string) => ({
    room,
    held: await ended(room, user, true),
    free: await ended(room, user, false),
  })
  shared.targets = {
    own: await target('demo', 'alice'),
    demo: await target('demo', 'bob'),
    other: await target('other', 'bob'),
  }
  const rooms = ['demo']
  const grants = ['publish', 'play']
  tokens.set('user', await server.token({ sub: 'alice', rooms, grants }))
  tokens.set('viewer', await server.token({ sub: 'vera', role: 'viewer', rooms }))
  tokens.set('operator', await server.token({ sub: 'alice', role: 'operator', rooms }))
  tokens.set('roomAdmin', await server.token({ role: 'admin', rooms }))
  tokens.set('admin', root)
  tokens.set('stranger', await server.token({ sub: 'eve' }))
  const nowS = Math.floor(Date.now() / 1000)
  const claims = { sub: 'root', role: 'admin', rooms: '*', exp: nowS + 600 }
  const signed = (payload: object, alg: string, key: Uint8Array) =>
    new SignJWT({ ...payload }).setProtectedHeader({ alg }).sign(key)
  tokens.set('expired', await server.token(claims, nowS - 31))
  tokens.set('wrong key', await signed(claims, 'HS256', Buffer.alloc(64, 7)))
  tokens.set('wrong algorithm', await signed(claims, 'HS512', Buffer.concat([server.secret, server.secret])))
  tokens.set('right key, wrong algorithm', await signed(claims, 'HS384', server.secret))
  tokens.set('algorithm none', new UnsecuredJWT(claims).encode())
  tokens.set('garbled', `${root.slice(0, -4)}AAAA`)
  tokens.set(
    'another payload',
    root.replace(/\.[^.]+\./, `.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.`),
  )
  tokens.set('no token at all', 'letmein')
  tokens.set('no end', await signed({ sub: 'root', role: 'admin' }, 'HS256', server.secret))
  tokens.set('an end in years', await server.token(claims, nowS + 500 * 86_400))
  tokens.set('not yet', await server.token({ ...claims, nbf: nowS + 600 }))
  tokens.set('for streams', await server.token({ rooms: '*', grants: ['publish', 'play', 'metrics'] }))
  tokens.set('an unknown role', await server.token({ sub: 'alice', role: 'emperor', rooms: '*' }))
})
afterAll(() => shared.server?.stop())

/** One request that changes nothing, whoever makes it: what would is refused for another reason once it has passed. */
async function ask(id: OperationId, mount: string, target: Target, token: string | undefined) {
  const { server, targets } = rig()
  const { room, held, free } = targets[target]
  const [method, pattern] = OPERATIONS[id]
  const isHolding = id === 'holdRecording' || id === 'releaseRecording'
  const path = pattern
    .replace('{room_id}', room)
    .replace('{recording_id}', isHolding ? free : held)
    .replace(/\{\w+\}/g, 'none')
  const response = await fetch(`${server.http}${mount}${path}`, {
    method,
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
  })
  return { status: response.status, challenge: response.headers.get('www-authenticate'), text: await response.text() }
}

function codeIn(text: string): unknown {
  return JSON.parse(text).error?.code
}

describe('the table', () => {
  it('has a line for every operation, and a cell for every column', () => {
    expect(Object.keys(MATRIX).sort()).toEqual([...operations].sort())
    expect(Object.keys(ROUTES).sort()).toEqual([...operations].sort())
    for (const [id, line] of Object.entries(MATRIX)) expect(line.replaceAll(' ', ''), id).toHaveLength(COLUMNS.length)
  })
})

describe.each(MOUNTS)('%s', (mount) => {
  it.each(operations)('%s lets pass who may, and nobody else', async (id) => {
    const cells = MATRIX[id].replaceAll(' ', '')
    const answers = await Promise.all(COLUMNS.map(([caller, target]) => ask(id, mount, target, tokens.get(caller))))
    const got = answers.map(({ status }) => (status === 403 ? '-' : status === 401 || status >= 500 ? '?' : '+'))
    expect(got.join('')).toBe(cells)
    for (const { status, text } of answers) if (status === 403) expect(codeIn(text)).toBe('TD_FORBIDDEN')
  })

  it.each(operations.filter((id) => !PUBLIC.includes(id)))('%s takes no token that proves nothing', async (id) => {
    const bad = [
      'expired',
      'wrong key',
      'wrong algorithm',
      'right key, wrong algorithm',
      'algorithm none',
      'garbled',
      'another payload',
      'no token at all',
      'no end',
      'an end in years',
      'not yet',
    ]
    for (const name of ['none', ...bad]) {
      const { status, challenge, text } = await ask(id, mount, 'own', tokens.get(name))
      expect({ name, status, challenge, code: codeIn(text) }).toEqual({
        name,
        status: 401,
        challenge: 'Bearer',
        code: 'TD_BAD_TOKEN',
      })
    }
    for (const name of OF_STREAMS.includes(id) ? ['an unknown role'] : ['for streams', 'an unknown role']) {
      const { status, text } = await ask(id, mount, 'own', tokens.get(name))
      expect({ name, status, code: codeIn(text) }).toEqual({ name, status: 403, code: 'TD_FORBIDDEN' })
    }
  })

  it.each<[string, string, number]>([
    ['none', '', 4401],
    ['expired', '', 4401],
    ['wrong key', '', 4401],
    ['wrong algorithm', '', 4401],
    ['algorithm none', '', 4401],
    ['garbled', '', 4401],
    ['for streams', '', 4403],
    ['an unknown role', '', 4403],
    ['user', '?room=other', 4403],
    ['viewer', '?room=other', 4403],
    ['operator', '?room=demo,other', 4403],
    ['roomAdmin', '?room=other', 4403],
    ['user', '?room=demo', 0],
    ['viewer', '', 0],
    ['operator', '?room=demo', 0],
    ['admin', '?room=other', 0],
    ['stranger', '', 0],
  ])('events over WebSocket: %s %s', async (name, query, expected) => {
    expect(await openSocket(`${mount}/events${query}`, tokens.get(name))).toBe(expected)
  })

  it('an id that there is not is 404 to whoever may ask, under another room, too', async () => {
    const { server, targets } = rig()
    const status = async (caller: string, path: string, method = 'GET') => {
      const headers = { authorization: `Bearer ${tokens.get(caller)}` }
      return (await fetch(`${server.http}${mount}${path}`, { method, headers })).status
    }
    expect(await status('user', '/recordings/none')).toBe(404)
    expect(await status('viewer', '/recordings/none', 'DELETE')).toBe(403)
    expect(await status('user', `/rooms/other/recording/${targets.own.held}/status`)).toBe(404)
    expect(await status('admin', `/rooms/demo/recording/${targets.other.held}/status`)).toBe(404)
    expect(await status('admin', `/rooms/demo/recording/${targets.demo.held}/status`)).toBe(200)
  })
})

/** 0 when it is welcomed, else the code that it is closed with. */
function openSocket(path: string, token: string | undefined): Promise<number> {
  const socket = new WebSocket(rig().server.http.replace('http', 'ws') + path)
  return new Promise((resolve, reject) => {
    if (token !== undefined) socket.on('open', () => socket.send(JSON.stringify({ type: 'auth', token })))
    socket.on('message', () => {
      socket.close()
      resolve(0)
    })
    socket.on('close', resolve).on('error', reject)
  })
}

describe('what lists show', () => {
  const ids = async (caller: string, query: string) => {
    const { server } = rig()
    const headers = { authorization: `Bearer ${tokens.get(caller)}` }
    const response = await fetch(`${server.http}/api${query}`, { headers })
    const { recordings, count }: { recordings?: { recording_id: string }[]; count?: number } = await response.json()
    if (recordings === undefined) return response.status
    expect(recordings).toHaveLength(count ?? -1)
    return recordings.map(({ recording_id }) => recording_id).sort()
  }
  const of = (...names: Target[]) =>
    names.flatMap((name) => [rig().targets[name].held, rig().targets[name].free]).sort()

  it('is what the caller may read', async () => {
    expect(await ids('user', '/recordings')).toEqual(of('own'))
    expect(await ids('user', '/recordings?user=alice')).toEqual(of('own'))
    expect(await ids('user', '/recordings?all=true')).toBe(403)
    expect(await ids('user', '/recordings?user=bob')).toBe(403)
    expect(await ids('user', '/rooms/demo/recordings')).toEqual(of('own'))
    expect(await ids('user', '/rooms/demo/recordings?user=bob')).toBe(403)
    expect(await ids('viewer', '/recordings')).toEqual([])
    expect(await ids('viewer', '/recordings?all=true')).toEqual(of('own', 'demo'))
    expect(await ids('viewer', '/recordings?all=true&room=other')).toBe(403)
    expect(await ids('operator', '/recordings?user=bob')).toEqual(of('demo'))
    expect(await ids('operator', '/rooms/demo/recordings')).toEqual(of('own', 'demo'))
    expect(await ids('roomAdmin', '/recordings')).toEqual(of('own', 'demo'))
    expect(await ids('admin', '/recordings')).toEqual([])
    expect(await ids('admin', '/recordings?all=true')).toEqual(of('own', 'demo', 'other'))
    expect(await ids('admin', '/recordings?user=bob&room=other')).toEqual(of('other'))
    expect(await ids('stranger', '/recordings')).toEqual([])
  })

  it('asks whose role counts in several rooms for one of them', async () => {
    const { server } = rig()
    tokens.set('two rooms', await server.token({ role: 'viewer', rooms: ['demo', 'other'] }))
    expect(await ids('two rooms', '/recordings')).toBe(400)
    expect(await ids('two rooms', '/recordings?room=other')).toEqual(of('other'))
  })

  it('a user starts nothing in the name of another', async () => {
    const { server } = rig()
    const start = (caller: string, user_id: string) =>
      new TapedeckClient({ baseUrl: server.http, token: tokens.get(caller) ?? '' }).startRecording('demo', { user_id })
    await expect(start('user', 'bob')).rejects.toMatchObject({ status: 403 })
    await expect(start('user', 'alice')).rejects.toMatchObject({ code: 'TD_ROOM_UNKNOWN' })
    await expect(start('operator', 'bob')).rejects.toMatchObject({ code: 'TD_ROOM_UNKNOWN' })
  })
})
