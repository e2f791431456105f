import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { OPERATIONS, type OperationId } from '../../src/api/rest/operations.ts'
import { ApiError, TapedeckClient } from '../../src/client/index.ts'
import { ApiServer } from '../peers/api-server.ts'
import { checkedFetch } from '../peers/checked-fetch.ts'

const shared: { server?: ApiServer } = {}
beforeAll(async () => {
  shared.server = await ApiServer.start()
})
afterAll(() => shared.server?.stop())
const clientOf = (mount = '') => new TapedeckClient({ baseUrl: `${shared.server?.http}${mount}`, fetch: checkedFetch })

/** A call that the server answers with success, or, where there is nothing to do it to, with the given code. */
type Drive = (client: TapedeckClient, id: string) => Promise<unknown>
const CALLS: Readonly<Record<OperationId, Drive | readonly [Drive, string]>> = {
  startRecording: (client) => client.startRecording('demo', { participants: ['x'] }),
  pauseRecording: [(client, id) => client.pauseRecording('demo', id), 'TD_ILLEGAL_MOVE'],
  resumeRecording: [(client, id) => client.resumeRecording('demo', id), 'TD_ILLEGAL_MOVE'],
  getRecordingStatus: (client, id) => client.getRecordingStatus('demo', id),
  listRoomRecordings: (client) => client.listRoomRecordings('demo'),
  listRecordings: (client) => client.listRecordings({ status: ['pending'], all: 'true', limit: 5 }),
  getRecording: (client, id) => client.getRecording(id),
  addMarker: (client, id) => client.addMarker(id, { label: 'here' }),
  listMarkers: (client, id) => client.listMarkers(id),
  listFiles: (client, id) => client.listFiles(id),
  listThumbnails: (client, id) => client.listThumbnails(id),
  getReport: (client, id) => client.getReport(id),
  downloadFile: [(client, id) => client.downloadFile(id, 'none', { range: 'bytes=0-1' }), 'TD_FILE_UNKNOWN'],
  createFileLink: [(client, id) => client.createFileLink(id, 'none', { ttl_seconds: 5 }), 'TD_FILE_UNKNOWN'],
  stopRecording: (client, id) => client.stopRecording('demo', id),
  holdRecording: (client, id) => client.holdRecording(id),
  releaseRecording: (client, id) => client.releaseRecording(id),
  cancelRecording: [(client, id) => client.cancelRecording('demo', id), 'TD_ILLEGAL_MOVE'],
  deleteRecording: (client, id) => client.deleteRecording(id),
  listRooms: (client) => client.listRooms(),
  getRoom: [(client) => client.getRoom('empty'), 'TD_ROOM_UNKNOWN'],
  listParticipants: [(client) => client.listParticipants('empty'), 'TD_ROOM_UNKNOWN'],
  disconnectParticipant: [(client) => client.disconnectParticipant('empty', 'x'), 'TD_PARTICIPANT_MISSING'],
  uploadChunk: (client) => client.uploadChunk('up', 'x', { session: 's', seq: 1, kind: 'camera' }, Uint8Array.of(1)),
  getUpload: (client) => client.getUpload('up', 'x', 's'),
  listJobs: (client) => client.listJobs({ state: 'dead' }),
  retryJob: [(client) => client.retryJob('none'), 'TD_JOB_MISSING'],
  cancelJob: [(client) => client.cancelJob('none'), 'TD_JOB_MISSING'],
  listDeliveries: (client) => client.listDeliveries({ state: 'dead' }),
  replayDelivery: [(client) => client.replayDelivery('none'), 'TD_DELIVERY_MISSING'],
  getServer: (client) => client.getServer(),
  getOpenApi: (client) => client.getOpenApi(),
  getDocs: (client) => client.getDocs(),
}

describe.each(['', '/api/webrtc'])('the client, against a real server%s', (mount) => {
  it('drives every operation, and each answer fits its schema', async () => {
    expect(Object.keys(CALLS).sort()).toEqual(Object.keys(OPERATIONS).sort())
    const client = clientOf(mount)
    const { recording_id } = await client.startRecording('demo', { participants: ['x'] })
    for (const [id, call] of Object.entries(CALLS)) {
      const [drive, code] = typeof call === 'function' ? [call, undefined] : call
      const outcome = await drive(client, recording_id).catch((error: unknown) => error)
      const failed = outcome instanceof ApiError ? outcome.code : outcome instanceof Error ? outcome : undefined
      expect([id, failed]).toEqual([id, code])
    }
  })
})

describe('events', () => {
  it('come in order, go on behind a number, and end with the loop', async () => {
    const client = clientOf()
    const { recording_id } = await client.startRecording('events', { participants: ['x'] })
    await client.addMarker(recording_id, { label: 'one' })
    await client.addMarker(recording_id, { label: 'two' })
    const read = async (since: number, count: number) => {
      const seen: { seq: number; label: unknown }[] = []
      for await (const { seq, type, data } of client.events({ rooms: ['events'], since })) {
        if (type === 'marker_added') seen.push({ seq, label: data.label })
        if (seen.length === count) break
      }
      return seen
    }
    const both = await read(0, 2)
    expect(both.map(({ label }) => label)).toEqual(['one', 'two'])
    expect(await read(both[0]?.seq ?? 0, 1)).toEqual(both.slice(1))
  })

  it('go on with a fresh token when the one before has expired', async () => {
    const server = await ApiServer.start({ requireToken: true })
    const stop = new AbortController()
    try {
      let asked = 0
      const soonOver = await server.token({ role: 'admin' }, Math.floor(Date.now() / 1000) + 2)
      const token = () => (++asked === 1 ? soonOver : server.token({ role: 'admin' }))
      const seen: unknown[] = []
      const listening = (async () => {
        const client = new TapedeckClient({ baseUrl: server.http, token })
        for await (const { data } of client.events({ since: 0, signal: stop.signal })) seen.push(data.label)
      })()
      const commander = new TapedeckClient({ baseUrl: server.http, token: await server.token({ role: 'admin' }) })
      const { recording_id } = await commander.startRecording('r', { participants: ['x'] })
      await commander.addMarker(recording_id, { label: 'one' })
      await expect.poll(() => asked, { timeout: 10_000 }).toBe(2)
      await commander.addMarker(recording_id, { label: 'two' })
      await expect.poll(() => seen, { timeout: 10_000 }).toEqual(['one', 'two'])
      stop.abort()
      await listening
    } finally {
      stop.abort()
      await server.stop()
    }
  })

  it('end when they are told to, and throw when the server refuses', async () => {
    const stop = new AbortController()
    const ended = (async () => {
      for await (const _ of clientOf().events({ signal: stop.signal })) expect.unreachable()
    })()
    stop.abort()
    await ended
    const refused = new TapedeckClient({ baseUrl: shared.server?.http ?? '', token: 'letmein' }).events()
    await expect(refused.next()).rejects.toMatchObject({ code: 'TD_BAD_TOKEN', status: 4401 })
  })
})
