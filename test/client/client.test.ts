import { describe, expect, it } from 'vitest'
import { OPERATIONS } from '../../src/api/rest/operations.ts'
import { ApiError, TapedeckClient } from '../../src/client/index.ts'
import { sources } from '../house/sources.ts'

/** A `fetch` that keeps what it is asked and answers with `body`. */
function recordingFetch(body: unknown, init: ResponseInit = {}) {
  const requests: Request[] = []
  const fetch = async (input: string | URL | Request, options?: RequestInit) => {
    requests.push(new Request(input, options))
    return new Response(typeof body === 'string' ? body : JSON.stringify(body), init)
  }
  return { requests, fetch }
}

describe('the client', () => {
  it('has a method for every operation', () => {
    const methods = Object.getOwnPropertyNames(TapedeckClient.prototype)
    expect(Object.keys(OPERATIONS).filter((id) => !methods.includes(id))).toEqual([])
  })

  it('runs where there is no Node: it imports nothing at run time but its own files and the table of operations', () => {
    const own = sources('src').filter(({ path }) => path.startsWith('src/client/'))
    for (const { path, text } of own) {
      const atRunTime = [...text.matchAll(/^(?:import|export) (?!type )[^;]*?from '([^']+)'/gm)].map(
        (match) => match[1],
      )
      for (const name of atRunTime) expect(name, path).toMatch(/^\.\/|^\.\.\/api\/rest\/operations\.ts$/)
    }
    expect(own.length).toBeGreaterThan(3)
  })

  it('encodes names, sends the token, and reaches either mount', async () => {
    const { requests, fetch } = recordingFetch({ recordings: [], count: 0, next_cursor: null })
    let token = 0
    const client = new TapedeckClient({ baseUrl: 'http://a.example:81/', token: () => `t${++token}`, fetch })
    await client.listRoomRecordings('a/b ü?', { status: ['paused', 'failed'], limit: 3 })
    await new TapedeckClient({ baseUrl: 'http://a.example/api/webrtc', fetch }).startRecording('x', { quality: 'low' })
    await client.listRecordings({ cursor: undefined })
    expect(requests.map(({ method, url }) => `${method} ${url}`)).toEqual([
      'GET http://a.example:81/api/rooms/a%2Fb%20%C3%BC%3F/recordings?status=paused%2Cfailed&limit=3',
      'POST http://a.example/api/webrtc/rooms/x/recording/start',
      'GET http://a.example:81/api/recordings',
    ])
    expect(requests.map(({ headers }) => headers.get('authorization'))).toEqual(['Bearer t1', null, 'Bearer t2'])
    expect(await requests[1]?.json()).toEqual({ quality: 'low' })
  })

  it('pages through', async () => {
    const pages = [
      { recordings: [1, 2], count: 3, next_cursor: 'c' },
      { recordings: [3], count: 3, next_cursor: null },
    ]
    const urls: string[] = []
    const fetch = async (input: string | URL | Request) => {
      urls.push(String(input))
      return new Response(JSON.stringify(pages.shift()))
    }
    const found: unknown[] = []
    for await (const each of new TapedeckClient({ baseUrl: 'http://a', fetch }).eachRecording({ limit: 2 }))
      found.push(each)
    expect(found).toEqual([1, 2, 3])
    expect(urls).toEqual(['http://a/api/recordings?limit=2', 'http://a/api/recordings?limit=2&cursor=c'])
  })

  it('throws what the server says', async () => {
    const error = { code: 'TD_REQUEST_RATE', message: 'slow', fault: 'caller', details: [1] }
    const headers = { 'retry-after': '2', 'x-request-id': 'r' }
    const { fetch } = recordingFetch({ error }, { status: 429, headers })
    const thrown = await new TapedeckClient({ baseUrl: 'http://a', fetch })
      .getServer()
      .catch((caught: unknown) => caught)
    expect(thrown).toBeInstanceOf(ApiError)
    expect(thrown).toMatchObject({ ...error, status: 429, requestId: 'r', retryAfterMs: 2000 })
  })

  it.each(['<html>Bad gateway', '', '{"error":"x"}', 'null'])(
    'throws for %j, which is no error of ours',
    async (body) => {
      const { fetch } = recordingFetch(body, { status: 502 })
      await expect(new TapedeckClient({ baseUrl: 'http://a', fetch }).listRooms()).rejects.toMatchObject({
        code: 'HTTP_ERROR',
        status: 502,
      })
    },
  )
})
