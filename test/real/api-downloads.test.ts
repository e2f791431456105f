import { createHash } from 'node:crypto'
import { once } from 'node:events'
import {
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { get } from 'node:http'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Recording, TapedeckClient } from '../../src/client/index.ts'
import { ApiServer } from '../peers/api-server.ts'
import { ChromiumPlayer } from '../peers/chromium.ts'
import { complaints, madeMedia, publish } from '../peers/ffmpeg.ts'
import { until } from '../peers/until.ts'

const ROOM = 'Größe🎬'
const shared: { server?: ApiServer; done?: Recording } = {}
const rig = () => {
  const { server, done } = shared
  const [file] = done?.files ?? []
  if (server === undefined || done === undefined || file === undefined) throw new Error('not started')
  const url = `${server.http}/api/recordings/${done.recording_id}/files/${file.file_id}`
  return { server, client: new TapedeckClient({ baseUrl: server.http }), done, file, url, path: done.local_path ?? '' }
}
const media = () =>
  madeMedia(
    'api-half-minute.flv',
    '-f lavfi -i testsrc2=size=320x180:rate=25 -f lavfi -i sine=440 -t 30 -c:v libx264 -preset veryfast -g 25 -b:v 800k -c:a aac',
  )
/** How many descriptors of this process lead to `path`. */
const openCount = (path: string) =>
  readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === path
    } catch {
      return false // closed meanwhile
    }
  }).length
const sha = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
const bytesOf = async (response: Response) => new Uint8Array(await response.arrayBuffer())

/** Publishes and begins to record `room`; resolves when there is a file with media in it. */
async function recordingOf(client: TapedeckClient, server: ApiServer, room: string) {
  const publisher = publish(await media(), `${server.rtmp}/${room}/alice`, { speed: 1 })
  await until('the publisher', async () => (await client.listRooms()).rooms.find(({ room_id }) => room_id === room))
  const { recording_id } = await client.startRecording(room, { recording_format: 'mp4' })
  const growing = await until('a file', async () => {
    const now = await client.getRecordingStatus(room, recording_id)
    return now.duration_seconds > 1.5 && now.files.length > 0 ? now : undefined
  })
  return { publisher, growing }
}

beforeAll(async () => {
  const server = await ApiServer.start()
  shared.server = server
  const client = new TapedeckClient({ baseUrl: server.http })
  const { publisher, growing } = await recordingOf(client, server, ROOM)
  await client.stopRecording(ROOM, growing.recording_id)
  shared.done = (await server.server.control.finished(growing.recording_id)).recording
  publisher.end()
  await publisher.ended
})
afterAll(() => shared.server?.stop())

describe('a file', () => {
  it('comes whole, under its own name, and nobody takes it for anything else', async () => {
    const { url, path, file } = rig()
    const response = await fetch(url)
    expect(response.status).toBe(200)
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'accept-ranges': 'bytes',
      'cache-control': 'private, no-cache',
      'content-length': String(statSync(path).size),
      'content-security-policy': "default-src 'none'; sandbox",
      'content-type': 'video/mp4',
      'x-content-type-options': 'nosniff',
    })
    const disposition = response.headers.get('content-disposition') ?? ''
    expect(disposition).toMatch(/^attachment; filename="[\x20-\x7e]+"/)
    const name = /filename\*=UTF-8''(\S+)$/.exec(disposition)?.[1]
    if (name !== undefined) expect(decodeURIComponent(name)).toBe(file.file_name)
    expect(sha(await bytesOf(response))).toBe(sha(readFileSync(path)))
    expect((await fetch(`${url}?inline=true`)).headers.get('content-disposition')).toMatch(/^inline; /)
  })

  it.each([
    ['bytes=0-99', 0, 100],
    ['bytes=100-', 100, undefined],
    ['bytes=-50', -50, undefined],
    ['bytes=5-5', 5, 6],
  ])('in part: %s', async (range, from, to) => {
    const { url, path } = rig()
    const response = await fetch(url, { headers: { range } })
    const expected = readFileSync(path).subarray(from, to)
    expect(response.status).toBe(206)
    expect(response.headers.get('content-range')).toMatch(new RegExp(`^bytes \\d+-\\d+/${statSync(path).size}$`))
    expect(sha(await bytesOf(response))).toBe(sha(expected))
  })

  it('beyond its end, in many parts, in none', async () => {
    const { url, path } = rig()
    const beyond = await fetch(url, { headers: { range: 'bytes=999999999-' } })
    expect(beyond.status).toBe(416)
    expect(beyond.headers.get('content-range')).toBe(`bytes */${statSync(path).size}`)
    expect(await beyond.json()).toMatchObject({ error: { code: 'TD_RANGE' } })
    for (const range of ['bytes=0-1,5-6', 'pages=1-2', 'bytes']) {
      const { status, body } = await fetch(url, { headers: { range } })
      await body?.cancel()
      expect([range, status]).toEqual([range, 200])
    }
  })

  it('again: not, when it is the same; from the start, when it is another', async () => {
    const { url } = rig()
    const head = await fetch(url, { method: 'HEAD' })
    const etag = head.headers.get('etag') ?? ''
    const date = head.headers.get('last-modified') ?? ''
    expect(head.status).toBe(200)
    expect(Number(head.headers.get('content-length'))).toBeGreaterThan(10_000)
    expect(etag).not.toBe('')
    const status = async (headers: Record<string, string>) => {
      const response = await fetch(url, { headers })
      await response.body?.cancel()
      return response.status
    }
    expect(await status({ 'if-none-match': etag, 'cache-control': '' })).toBe(304)
    expect(await status({ 'if-modified-since': date, 'cache-control': '' })).toBe(304)
    expect(await status({ 'if-match': '"other"' })).toBe(412)
    expect(await status({ range: 'bytes=0-9', 'if-range': etag })).toBe(206)
    expect(await status({ range: 'bytes=0-9', 'if-range': '"other"' })).toBe(200)
    expect(await status({ range: 'bytes=0-9', 'if-range': date })).toBe(206)
  })

  it('that grows: what is there now, of one length, again and more of it later; Chromium plays it from its link', async () => {
    const { client, server } = rig()
    const { publisher, growing } = await recordingOf(client, server, 'growing')
    const [file] = growing.files
    const fetchNow = () => client.downloadFile(growing.recording_id, file?.file_id ?? '')
    const first = await fetchNow()
    expect(first.headers.get('cache-control')).toBe('no-store')
    const early = await bytesOf(first)
    expect(early).toHaveLength(Number(first.headers.get('content-length')))
    const copy = join(server.data, 'copy.mp4')
    writeFileSync(copy, early)
    expect(await complaints(copy)).toBe('')
    const late = await until('more of it', async () => {
      const bytes = await bytesOf(await fetchNow())
      return bytes.length > early.length ? bytes : undefined
    })
    expect(sha(late.subarray(0, early.length))).toBe(sha(early))
    const rest = await client.downloadFile(growing.recording_id, file?.file_id ?? '', {
      range: `bytes=${early.length}-`,
    })
    expect(rest.status).toBe(206)
    const [, from, last, total] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(rest.headers.get('content-range') ?? '') ?? []
    expect([Number(from), Number(last) + 1]).toEqual([early.length, Number(total)])
    const all = Buffer.concat([early, await bytesOf(rest)])
    expect(sha(all.subarray(0, late.length))).toBe(sha(late.subarray(0, all.length)))
    const ahead = await fetch(rest.url, { headers: { range: 'bytes=999999999-' } })
    expect(ahead.status).toBe(416)
    await ahead.body?.cancel()
    const chromium = await ChromiumPlayer.launch()
    try {
      const { url } = await client.createFileLink(growing.recording_id, file?.file_id ?? '')
      const link = `${url}&inline=true`
      const played = await chromium.playFrom(link, 1) // as far as it went when it was asked for
      expect(played).toMatchObject({ error: undefined, width: 320, height: 180 })
      expect(played.seekedToSeconds).toBeGreaterThanOrEqual(1.5)
    } finally {
      await chromium.close()
    }
    await client.cancelRecording('growing', growing.recording_id)
    await expect(fetchNow()).rejects.toMatchObject({ status: 404, code: 'TD_FILE_UNKNOWN' })
    publisher.end()
    await publisher.ended
  })

  it('a reader that leaves in the middle leaves nothing open', async () => {
    const { url, client, path } = rig()
    for (let n = 0; n < 20; n++) {
      const request = get(url)
      const [response] = await once(request, 'response')
      response.destroy()
    }
    expect((await client.getServer()).version).not.toBe('')
    await until('closed files', () => {
      return openCount(path) === 0 ? true : undefined
    })
  })
})

describe('links', () => {
  it('need no token, hold for their file alone, and not for ever', async () => {
    const { client, done, file, path } = rig()
    const { url, expires_at } = await client.createFileLink(done.recording_id, file.file_id, { ttl_seconds: 2 })
    expect(Date.parse(expires_at)).toBeGreaterThan(Date.now())
    const response = await fetch(url)
    expect(response.status).toBe(200)
    expect(sha(await bytesOf(response))).toBe(sha(readFileSync(path)))
    expect((await fetch(url, { method: 'HEAD' })).status).toBe(200)
    expect((await fetch(url.replace('/api/', '/api/webrtc/'), { method: 'HEAD' })).status).toBe(200)
    for (const wrong of [
      url.replace(/signature=.{4}/, 'signature=AAAA'),
      url.replace(/expires=\d/, 'expires=9'),
      url.replace(file.file_id, 'other'),
      `${url}&user=bob`,
    ]) {
      const refused = await fetch(wrong)
      expect([wrong, refused.status]).toEqual([wrong, 403])
      expect(await refused.json()).toMatchObject({ error: { code: 'TD_BAD_LINK' } })
    }
    await until('its end', async () => ((await fetch(url, { method: 'HEAD' })).status === 403 ? true : undefined))
  })
})

describe('what is no file of a recording', () => {
  it('is never served: a link in its place, nor what was moved away', async () => {
    const { url, path, server } = rig()
    const aside = `${path}.aside`
    const directory = dirname(path)
    const secret = join(server.data, 'secret')
    const status = async () => {
      const response = await fetch(url)
      await response.body?.cancel()
      return response.status
    }
    renameSync(path, aside)
    expect(await status()).toBe(404)
    symlinkSync(secret, path)
    expect(await status()).toBe(404)
    rmSync(path)
    renameSync(aside, path)
    expect(await status()).toBe(200)
    const elsewhere = `${server.data}/elsewhere`
    renameSync(directory, elsewhere)
    expect(await status()).toBe(404)
    renameSync(elsewhere, directory)
    expect(await status()).toBe(200)
  })
})
