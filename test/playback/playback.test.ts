import { describe, expect, it } from 'vitest'
import { BadNameError } from '../../src/live/address.ts'
import { type Authorizer, UnauthorizedError } from '../../src/live/authorizer.ts'
import { Hub } from '../../src/live/hub.ts'
import { RtmpPlayback } from '../../src/playback/rtmp/playback.ts'
import { StreamNotFoundError } from '../../src/rtmp/errors.ts'
import type { StreamRequest } from '../../src/rtmp/handlers.ts'
import { KeptOutput } from './outputs.ts'

const quiet = { debug() {}, info() {}, warn() {}, error() {} }
const address = { room: 'live', participant: 'test' }

function setup(authorize: Authorizer = async () => {}) {
  const hub = new Hub({ takeover: false, maxStreams: 10 }, quiet)
  return { hub, playback: new RtmpPlayback({ hub, authorize, logger: quiet }) }
}

function request(name: string, query = ''): StreamRequest {
  const peer = { id: 1, address: '127.0.0.1:5000', secure: true, agent: 'test', disconnect() {} }
  return { peer, app: 'live', name, query: new URLSearchParams(query) }
}

describe('RtmpPlayback', () => {
  it('refuses bad names, names that are not live, and whom the authorizer refuses', async () => {
    const { hub, playback } = setup()
    await expect(playback.play(request(''), new KeptOutput())).rejects.toThrow(BadNameError)
    await expect(playback.play(request('test'), new KeptOutput())).rejects.toThrow(StreamNotFoundError)
    const asked: unknown[] = []
    const closed = setup(async (action, at, token, peer) => {
      asked.push(action, at, token, peer.secure)
      throw new UnauthorizedError(action, at, 'no')
    })
    closed.hub.publish(address, { source: 'embedded' })
    await expect(closed.playback.play(request('test', 'token=t'), new KeptOutput())).rejects.toThrow(UnauthorizedError)
    expect(asked).toEqual(['play', address, 't', true])
    expect([hub.streams.length, playback.playerCount, closed.playback.playerCount]).toEqual([0, 0, 0])
  })

  it('does nothing for streams that nobody plays, and forgets them when the last player goes', async () => {
    const { hub, playback } = setup()
    const stream = hub.publish(address, { source: 'embedded' })
    expect(stream.playerCount).toBe(0)
    const players = await Promise.all([1, 2, 3].map(() => playback.play(request('test'), new KeptOutput())))
    expect([stream.playerCount, playback.playerCount]).toEqual([1, 3]) // one broadcast follows for all three
    for (const player of players) player.end()
    expect([stream.playerCount, playback.playerCount]).toEqual([0, 0])
    const output = new KeptOutput()
    await playback.play(request('test'), output)
    stream.end('finished')
    expect([playback.playerCount, output.statuses[0]]).toEqual([0, 'NetStream.Play.UnpublishNotify'])
  })
})
