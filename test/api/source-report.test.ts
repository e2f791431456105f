import { afterAll, beforeAll, expect, it } from 'vitest'
import { SourceLife } from '../../src/live/source-life.ts'
import { trackFigures } from '../ingest/scripted-engine.ts'
import { ApiServer } from '../peers/api-server.ts'

const shared: { server?: ApiServer } = {}
const server = () => {
  if (shared.server === undefined) throw new Error('not started')
  return shared.server
}
beforeAll(async () => {
  shared.server = await ApiServer.start({ webrtcPort: 0 })
})
afterAll(async () => {
  await shared.server?.stop()
})
const get = async (path: string) => (await fetch(server().http + path)).json()

it('a participant that came by WebRTC is shown with state, checklist and figures; others without', async () => {
  const life = new SourceLife({ requestKeyframe: () => undefined, expired: () => undefined })
  life.move('connecting')
  life.move('connected')
  const loss = {
    trackId: 1,
    at: '2026-11-21T12:00:00.000Z',
    lengthMs: 40,
    packets: 3,
    damagedFrames: 1,
    undecodableFrames: 2,
  }
  const tracks = [trackFigures({ packets: 1000, packetsLost: 3, lossRate: 0.003, width: 640, height: 360, rid: 'f' })]
  const strays = { unknownSsrc: 4, notNegotiated: 5, malformed: 6 }
  server().server.hub.publish(
    { room: 'standup', participant: 'alice' },
    {
      source: 'whip',
      session: 'secret',
      report: () => life.report({ tracks, losses: [loss], lossCount: 1, strays, rttMs: 9 }),
    },
  )
  server().server.hub.publish({ room: 'standup', participant: 'bob' }, { source: 'rtmp' })
  const { participants } = await get('/api/rooms/standup/participants')
  expect(participants[0]).toMatchObject({
    participant_id: 'alice',
    source: 'whip',
    source_report: {
      state: 'connected',
      fault: null,
      unmet: 'tracks_published',
      checklist: { connected: expect.any(String), first_rtp: null },
      tracks: [{ track_id: 1, rid: 'f', packets: 1000, packets_lost: 3, loss_rate: 0.003, width: 640 }],
      losses: [{ track_id: 1, length_ms: 40, packets: 3, damaged_frames: 1, undecodable_frames: 2 }],
      loss_count: 1,
      strays: { unknown_ssrc: 4, not_negotiated: 5, malformed: 6 },
      rtt_ms: 9,
      av_offset_ms: null,
      subscription_ms: null,
    },
  })
  expect(participants[1]).toMatchObject({ participant_id: 'bob', source_report: null })
  expect(JSON.stringify(participants)).not.toContain('secret')
  const room = await get('/api/rooms/standup')
  expect(room.participants[0].source_report).toMatchObject({ losses: [], loss_count: 1 })
})

it('signalling stands beside the API, with its errors and its figures', async () => {
  const answer = await fetch(`${server().http}/whip/standup/%ff`, { method: 'POST', body: 'x' })
  expect([answer.status, (await answer.json()).error.code]).toEqual([400, 'TD_BAD_REQUEST'])
  expect((await fetch(`${server().http}/whip/standup`)).status).toBe(404)
  expect((await fetch(`${server().http}/whip/standup/carol`)).status).toBe(204)
  const page = await (await fetch(`${server().http}/metrics`)).text()
  expect(page).toContain('tapedeck_webrtc_sessions{kind="whip"} 0')
  expect(page).toContain('tapedeck_webrtc_process_starts_total 0')
  expect(page).toContain('tapedeck_webrtc_packets_stray_total 0')
})

it('--webrtc off takes it away', async () => {
  const off = await ApiServer.start({ webrtc: 'off' })
  expect((await fetch(`${off.http}/whip/standup/carol`)).status).toBe(404)
  await off.stop()
})
