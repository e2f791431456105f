import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { contentDisposition } from '../../src/api/content-disposition.ts'
import { DownloadLinks } from '../../src/api/download-links.ts'
import { BadLinkError, BadRequestError } from '../../src/api/errors.ts'
import { readInput } from '../../src/api/rest/input.ts'
import { isShallow } from '../../src/api/rest/json-depth.ts'
import { methodsAt } from '../../src/api/rest/router.ts'
import { ROUTES } from '../../src/api/rest/routes.ts'

const secret = Buffer.from('0123456789abcdef0123456789abcdef')

describe('Content-Disposition', () => {
  it.each([
    ['a.mp4', 'attachment; filename="a.mp4"'],
    ['a b.mp4', 'attachment; filename="a b.mp4"'],
    ['Räumе 1.mp4', `attachment; filename="R_um_ 1.mp4"; filename*=UTF-8''R%C3%A4um%D0%B5%201.mp4`],
    ['a"b\\c%41.mp4', `attachment; filename="a_b_c_41.mp4"; filename*=UTF-8''a%22b%5Cc%2541.mp4`],
    ['🎬.mp4', `attachment; filename="_.mp4"; filename*=UTF-8''%F0%9F%8E%AC.mp4`],
    ['a\r\nSet-Cookie: x', `attachment; filename="a__Set-Cookie: x"; filename*=UTF-8''a%0D%0ASet-Cookie%3A%20x`],
  ])('%j', (name, expected) => {
    expect(contentDisposition(name, false)).toBe(expected)
    expect(contentDisposition(name, true)).toBe(expected.replace('attachment', 'inline'))
  })

  it('is always a header, and the full name is always in it', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (name) => {
        const header = contentDisposition(name, false)
        expect(header).toMatch(/^[\x20-\x7e]*$/)
        const full = /filename\*=UTF-8''(\S*)$/.exec(header)?.[1]
        const plain = /^attachment; filename="([^"]*)"/.exec(header)?.[1]
        expect(full === undefined ? plain : decodeURIComponent(full)).toBe(name.toWellFormed())
      }),
    )
  })
})

describe('download links', () => {
  const links = new DownloadLinks(secret, 'https://media.example.org/')
  const file = { recording_id: 'r1', file_id: 'f1' }
  const queryOf = (path: string) => Object.fromEntries(new URL(path, 'http://x').searchParams)

  it('hold for their file until they expire', () => {
    for (const user of [null, 'alice', 'a&b=c#ü']) {
      const { path, expiresAtMs } = links.sign(file, user, 60_000)
      expect(expiresAtMs - Date.now()).toBeGreaterThan(59_000)
      expect(expiresAtMs - Date.now()).toBeLessThan(62_000)
      expect(() => links.check(file, queryOf(path))).not.toThrow()
      expect(links.urlOf('/api', path)).toBe(`https://media.example.org/api${path}`)
    }
  })

  it('are refused when anything in them is changed', () => {
    const query = queryOf(links.sign(file, 'alice', 60_000).path)
    const later = String(Number(query.expires) + 1)
    for (const [target, changed] of [
      [{ ...file, file_id: 'f2' }, query],
      [{ ...file, recording_id: 'r2' }, query],
      [file, { ...query, expires: later }],
      [file, { ...query, user: 'bob' }],
      [file, { ...query, user: undefined }],
      [file, { ...query, signature: undefined }],
      [file, { ...query, signature: `${query.signature}AAAA` }],
      [file, { ...query, signature: query.signature?.slice(0, -2) }],
      [file, {}],
    ] as const) {
      expect(() => links.check(target, changed)).toThrow(BadLinkError)
    }
    const others = new DownloadLinks(Buffer.alloc(32, 1), undefined)
    expect(() => others.check(file, query)).toThrow(BadLinkError)
    const [expired] = [links.sign(file, null, -5000).path]
    expect(() => links.check(file, queryOf(expired))).toThrow('expired')
  })
})

function schemasOf(id: 'startRecording' | 'listRecordings' | 'addMarker') {
  const { params, query, body } = ROUTES[id]
  return { params, query, body }
}

describe('requests', () => {
  const read = (id: 'startRecording' | 'listRecordings' | 'addMarker', parts: { query?: object; body?: unknown }) =>
    readInput(schemasOf(id), {
      params: id === 'startRecording' ? { room_id: 'demo' } : id === 'addMarker' ? { recording_id: 'x' } : {},
      query: parts.query ?? {},
      body: parts.body,
    })

  it('are read as their route says', () => {
    expect(read('startRecording', { query: { quality: 'low' } })).toEqual({
      params: { room_id: 'demo' },
      query: { quality: 'low' },
      body: undefined,
    })
    expect(read('listRecordings', { query: { status: 'completed,failed' } }).query).toEqual({
      status: ['completed', 'failed'],
      limit: 50,
    })
    expect(read('listRecordings', { query: { status: ['paused', 'failed'], limit: '3' } }).query).toEqual({
      status: ['paused', 'failed'],
      limit: 3,
    })
  })

  let nested: unknown = {}
  for (let depth = 0; depth < 100_000; depth++) nested = { nested }
  it.each<[string, Parameters<typeof read>, string]>([
    ['an unknown format', ['startRecording', { query: { recording_format: 'avi' } }], 'query.recording_format'],
    ['an unknown name in the query', ['listRecordings', { query: { sttaus: 'x' } }], 'query'],
    ['an unknown status', ['listRecordings', { query: { status: 'done' } }], 'query.status'],
    ['a page that is too long', ['listRecordings', { query: { limit: '101' } }], 'query.limit'],
    ['half a page', ['listRecordings', { query: { limit: '1.5' } }], 'query.limit'],
    ['a time that is none', ['listRecordings', { query: { since: 'yesterday' } }], 'query.since'],
    ['an unknown name in the body', ['startRecording', { body: { colour: 'blue' } }], 'body'],
    ['a body that is no object', ['startRecording', { body: [1] }], 'body'],
    ['no participant', ['startRecording', { body: { participants: [] } }], 'body.participants'],
    [
      'metadata that are too large',
      ['startRecording', { body: { metadata: { a: 'x'.repeat(17_000) } } }],
      'body.metadata',
    ],
    ['metadata that are too deep', ['startRecording', { body: { metadata: { nested } } }], 'body.metadata'],
    [
      'a duration below nothing',
      ['startRecording', { body: { max_duration_seconds: -1 } }],
      'body.max_duration_seconds',
    ],
    ['a marker without a label', ['addMarker', { body: {} }], 'body.label'],
    ['a marker without a body', ['addMarker', {}], 'body'],
  ])('%s: refused, with the place', (_, given, place) => {
    try {
      read(...given)
      expect.unreachable()
    } catch (error) {
      expect(error).toBeInstanceOf(BadRequestError)
      expect(error).toMatchObject({ details: [{ path: place, message: expect.any(String) }] })
    }
  })

  it('know which methods an address has', () => {
    expect(methodsAt('/api/recordings/x')).toEqual(['GET', 'DELETE'])
    expect(methodsAt('/api/webrtc/recordings/x/hold')).toEqual(['PUT', 'DELETE'])
    expect(methodsAt('/api/openapi.json')).toEqual(['GET'])
    expect(methodsAt('/api/openapi-json')).toEqual([])
    expect(methodsAt('/recordings')).toEqual([])
  })

  it('are looked into only so deep', () => {
    expect(isShallow({ a: [{ b: 1 }] }, 3)).toBe(true)
    expect(isShallow({ a: [{ b: {} }] }, 2)).toBe(false)
    expect(isShallow(nested, 32)).toBe(false)
    expect(isShallow('x', 0)).toBe(true)
  })
})
