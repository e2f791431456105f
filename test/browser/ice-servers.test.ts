import { describe, expect, it } from 'vitest'
import { iceServerLinks } from '../../src/api/webrtc/ice-servers.ts'
import { iceServersOf } from '../../src/browser/ice-servers.ts'

describe('ICE servers of an answer', () => {
  it('are those that the server was started with', () => {
    const urls = [
      'stun:stun.example.net',
      'turn:a%22%2C%20b:p%40%5Css@[2001:db8::1]:3478?transport=udp',
      'turns:t.example.net',
    ]
    const [, , shared, ...others] = iceServersOf(iceServerLinks({ urls, turnSecret: 'north' }, 'standup/alice') ?? null)
    expect(others).toEqual([])
    expect(shared).toEqual({
      urls: 'turns:t.example.net',
      username: expect.stringMatching(/^\d+:standup%2Falice$/),
      credential: expect.stringMatching(/^[\w+/]{27}=$/),
    })
    expect(iceServersOf(iceServerLinks({ urls: urls.slice(0, 2) }, '') ?? null)).toEqual([
      { urls: 'stun:stun.example.net' },
      { urls: 'turn:[2001:db8::1]:3478?transport=udp', username: 'a", b', credential: 'p@\\ss' },
    ])
  })

  it('are read as RFC 9725 §4.6 writes them, and nothing else is', () => {
    const link =
      '<stun:stun.example.net>; rel="ice-server",<turn:turn.example.net?transport=udp>;rel=ice-server; ' +
      'username="user"; credential="myPassword"; credential-type="password", ' +
      '<https://a.example/>; rel="ice-server", <stun:b.example>; rel="next", stun:c.example'
    expect(iceServersOf(link)).toEqual([
      { urls: 'stun:stun.example.net' },
      { urls: 'turn:turn.example.net?transport=udp', username: 'user', credential: 'myPassword' },
    ])
    expect(iceServersOf(null)).toEqual([])
    expect(iceServersOf('<<>;"')).toEqual([])
  })
})
