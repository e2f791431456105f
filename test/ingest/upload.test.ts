import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { openContainer } from '../../src/container/formats.ts'
import { UploadIngest } from '../../src/ingest/upload/upload-ingest.ts'
import { Hub } from '../../src/live/hub.ts'
import type { Logger } from '../../src/media/ports.ts'
import { MemoryFile } from '../container/matroska/memory-file.ts'
import { scratch } from '../peers/tapedeck.ts'
import { until as found } from '../peers/until.ts'
import { chunkOf, Follower, pieces, type Recorded, recordedBytes, sha256, timesOf } from './upload-rig.ts'

const silent: Logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
const ALICE = { room: 'demo', participant: 'alice' }
const CAMERA = { session: 'a', label: 'camera' }
const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

/** Waits until `holds` does. */
async function until(holds: () => boolean): Promise<void> {
  await found('what the test expects', () => holds() || undefined)
}

/** A hub with uploads; `followers` are those of its streams, oldest first. */
async function rig({ directory = '', idleMs = 30_000, demandRoom = () => Promise.resolve() } = {}) {
  const { path, drop } = scratch('upload')
  const hub = new Hub({ takeover: false, maxStreams: 100 }, silent)
  const followers: Follower[] = []
  hub.listen({
    started: (stream) => {
      const follower = new Follower()
      followers.push(follower)
      stream.subscribe(follower, { fromKeyframe: true })
    },
  })
  const clock = { aheadMs: 0 }
  const place = directory === '' ? path : directory
  const uploads = new UploadIngest({
    hub,
    logger: silent,
    directory: place,
    isSynced: false,
    idleMs,
    demandRoom,
    now: () => performance.now() + clock.aheadMs,
  })
  await uploads.open()
  closing.push(async () => {
    await uploads.close()
    drop()
  })
  const send = (seq: number, bytes: Uint8Array, isFinal = false, origin = CAMERA, address = ALICE) =>
    uploads.accept(address, origin, chunkOf(seq, bytes, isFinal))
  return { hub, uploads, followers, clock, send, directory: place }
}

describe('an upload', () => {
  it.each<Recorded>(['vp8.webm', 'h264.mkv', 'h264.mp4', 'sound.webm'])(
    'of %s becomes every frame of it, in order, whatever the order and number of its chunks',
    async (name) => {
      const { send, followers } = await rig()
      const bytes = recordedBytes(name)
      const parts = pieces(bytes, 9)
      for (const seq of [2, 0, 1, 1, 0, 5, 4, 3, 8, 6, 7, 8]) await send(seq, parts[seq], seq === 8)
      const [follower] = followers
      expect(await follower.ended()).toBe('finished')
      const expected = await timesOf(bytes)
      expect(follower.times).toEqual(expected)
      expect(followers).toHaveLength(1)
      expect(follower.tracks.map(({ kind, label }) => `${kind} ${label}`).sort()).toEqual(
        name === 'sound.webm' ? ['audio microphone'] : ['audio microphone', 'video camera'],
      )
      for (const track of follower.tracks) {
        if (track.kind === 'video') expect([track.width, track.height]).toEqual([320, 240])
        if (track.codec === 'h264') expect(track.config[0]).toBe(1) // an avcC, ISO 14496-15 §5.3.3
      }
    },
  )

  it('of a canvas with alpha keeps that, and its colours', async () => {
    const { send, followers } = await rig()
    const bytes = recordedBytes('alpha.webm')
    for (const [seq, part] of pieces(bytes, 9).entries()) await send(seq, part, seq === 8)
    const [follower] = followers
    expect(await follower.ended()).toBe('finished')
    const expected: string[] = []
    for await (const { alpha } of (await openContainer(new MemoryFile(bytes))).samples()) {
      if (alpha !== undefined) expected.push(bytes.toString('hex', alpha.offset, alpha.offset + alpha.size))
    }
    expect(expected.length).toBeGreaterThan(30)
    expect(follower.alpha).toEqual(expected)
    const colour = { primaries: 1, transfer: 13, matrix: 1, fullRange: true }
    expect(follower.tracks[0]).toMatchObject({ codec: 'vp8', hasAlpha: true, colour })
  })

  it('says what is missing, and takes a chunk once', async () => {
    const { send, uploads } = await rig()
    const parts = pieces(recordedBytes('vp8.webm'), 6)
    await send(0, parts[0])
    expect(await send(3, parts[3])).toMatchObject({ nextSeq: 1, early: [3], state: 'open' })
    expect(await send(3, parts[3])).toMatchObject({ nextSeq: 1, early: [3] })
    await expect(send(3, parts[2])).rejects.toMatchObject({ code: 'TD_CHUNK_CONFLICT' })
    expect(await send(1, parts[1])).toMatchObject({ nextSeq: 2, early: [3] })
    expect(await uploads.status(ALICE, 'a')).toMatchObject({ nextSeq: 2, early: [3] })
    await expect(uploads.status(ALICE, 'b')).rejects.toMatchObject({ code: 'TD_UPLOAD_MISSING' })
    expect(await send(2, parts[2])).toMatchObject({ nextSeq: 4, early: [] })
    await send(4, parts[4], true)
    await expect(send(5, parts[5])).rejects.toMatchObject({ code: 'TD_CHUNK_CONFLICT' })
  })

  it('ends after a silence, and goes on from the last keyframe as another stream', async () => {
    const { send, followers, clock } = await rig({ idleMs: 10_000 })
    const bytes = recordedBytes('vp8.webm')
    const parts = pieces(bytes, 10)
    for (let seq = 0; seq < 7; seq++) await send(seq, parts[seq])
    await until(() => followers[0].times.video.length > 0)
    clock.aheadMs = 11_000
    expect(await followers[0].ended()).toBe('lost')
    for (let seq = 7; seq < 10; seq++) await send(seq, parts[seq], seq === 9)
    expect(await followers[1].ended()).toBe('finished')
    const { video, audio } = await timesOf(bytes)
    const [before, after] = followers
    expect(after.firstVideo.key).toBe(true)
    expect(before.times.video.length).toBeGreaterThan(0)
    for (const [kind, times] of [
      ['video', video],
      ['audio', audio],
    ] as const) {
      expect([...new Set([...before.times[kind], ...after.times[kind]])]).toEqual(times)
    }
    const again = before.times.video.filter((ms) => after.times.video.includes(ms))
    expect((again.at(-1) ?? 0) - (again[0] ?? 0)).toBeLessThan(1000) // the GOP it stood in
  })

  it('that was lost is left in peace by the next process, until something comes', async () => {
    const first = await rig({ idleMs: 10_000 })
    const parts = pieces(recordedBytes('vp8.webm'), 10)
    for (let seq = 0; seq < 7; seq++) await first.send(seq, parts[seq])
    await until(() => first.followers[0].times.video.length > 0)
    first.clock.aheadMs = 11_000
    expect(await first.followers[0].ended()).toBe('lost')
    await first.uploads.close()
    const second = await rig({ directory: first.directory })
    expect(second.uploads.stats).toMatchObject({ live: 0, known: 1 })
    for (let seq = 7; seq < 10; seq++) await second.send(seq, parts[seq], seq === 9)
    expect(await second.followers[0].ended()).toBe('finished')
    expect(second.followers[0].firstVideo.key).toBe(true)
  })

  it('survives the process: another one goes on where this one stood, without what was not written whole', async () => {
    const first = await rig()
    const bytes = recordedBytes('h264.mp4')
    const parts = pieces(bytes, 8)
    for (const seq of [0, 1, 2, 3, 5]) await first.send(seq, parts[seq])
    await until(() => first.followers[0].times.video.length > 0)
    const [name] = readdirSync(first.directory)
    writeFileSync(join(first.directory, name, '4-0.part'), parts[4].subarray(0, 100))
    // as if it had been killed: nothing is closed
    const second = await rig({ directory: first.directory })
    await until(() => second.followers.length > 0)
    expect(await second.uploads.status(ALICE, 'a')).toMatchObject({ nextSeq: 4, early: [5] })
    for (const seq of [3, 4, 5, 6, 7]) await second.send(seq, parts[seq], seq === 7)
    expect(await second.followers[0].ended()).toBe('finished')
    expect(second.followers[0].times).toEqual(await timesOf(bytes))
    second.clock.aheadMs = 5000
    const at = join(second.directory, name)
    await until(() => !readdirSync(at).some((file) => /^\d{8}-/.test(file)))
    expect(JSON.parse(readFileSync(join(at, 'upload.json'), 'utf8')).state).toBe('ended')
    expect(await second.send(2, parts[2])).toMatchObject({ state: 'ended', nextSeq: 8 })
  })

  it('forgets chunks whose media is surely in the files', async () => {
    const { send, clock, directory, followers } = await rig()
    const parts = pieces(recordedBytes('vp8.webm'), 20)
    for (let seq = 0; seq < 19; seq++) await send(seq, parts[seq])
    const [name] = readdirSync(directory)
    const chunks = () => readdirSync(join(directory, name)).filter((file) => /^\d{8}-/.test(file)).length
    clock.aheadMs = 3000
    await until(() => chunks() < 10)
    await send(19, parts[19], true)
    expect(await followers[0].ended()).toBe('finished')
    expect(followers[0].times).toEqual(await timesOf(recordedBytes('vp8.webm')))
  })

  it('is known from its first chunk on, however long that takes', async () => {
    const held = Promise.withResolvers<void>()
    let isHeld = false
    const demandRoom = () => (isHeld ? held.promise : Promise.resolve())
    const { send, uploads, clock, followers } = await rig({ demandRoom })
    const parts = pieces(recordedBytes('vp8.webm'), 2)
    await send(0, recordedBytes('sound.webm'), true, CAMERA, { room: 'demo', participant: 'bob' })
    expect(await followers[0].ended()).toBe('finished')
    isHeld = true
    const first = send(0, parts[0])
    clock.aheadMs = 100_000_000
    await until(() => uploads.stats.known === 0) // what is not needed has been looked for
    held.resolve()
    expect(await first).toMatchObject({ nextSeq: 1 })
    expect(await send(1, parts[1], true)).toMatchObject({ nextSeq: 2 })
    expect(await followers[1].ended()).toBe('finished')
    expect(followers[1].times).toEqual(await timesOf(recordedBytes('vp8.webm')))
  })

  it('knows chunks of long ago by their number alone, and of a thousand alone what was in them', async () => {
    const { send, directory, followers, clock } = await rig()
    const bytes = recordedBytes('sound.webm')
    const parts = pieces(bytes, 1700).filter(({ length }) => length > 0)
    for (let seq = 0; seq < parts.length; seq++) await send(seq, parts[seq], seq === parts.length - 1)
    expect(await followers[0].ended()).toBe('finished')
    expect(followers[0].times).toEqual(await timesOf(bytes))
    expect(await send(0, Buffer.of(77))).toMatchObject({ nextSeq: parts.length })
    await expect(send(parts.length - 1, Buffer.of(77))).rejects.toMatchObject({ code: 'TD_CHUNK_CONFLICT' })
    await expect(send(parts.length, Buffer.of(77))).rejects.toMatchObject({ code: 'TD_CHUNK_CONFLICT' })
    clock.aheadMs = 3000
    const at = join(directory, readdirSync(directory)[0])
    await until(() => !readdirSync(at).some((file) => /^\d{8}-/.test(file)))
    expect(readFileSync(join(at, 'taken'), 'latin1').split('\n').length).toBeLessThan(1100)
    const again = await rig({ directory })
    expect(await again.send(0, Buffer.of(78))).toMatchObject({ nextSeq: parts.length })
    await expect(again.send(parts.length - 2, Buffer.of(77))).rejects.toMatchObject({ code: 'TD_CHUNK_CONFLICT' })
  })

  it('with another one of the same participant is one stream, each on its place of the clock', async () => {
    const { uploads, followers } = await rig()
    const bytes = recordedBytes('vp8.webm')
    await uploads.accept(ALICE, { session: 'cam', label: 'camera', ageMs: 5000 }, chunkOf(0, bytes.subarray(0, 9000)))
    await until(() => (followers[0]?.times.video.length ?? 0) > 0)
    await uploads.accept(ALICE, { session: 'scr', label: 'screen', ageMs: 1000 }, chunkOf(0, bytes, true))
    await uploads.accept(ALICE, { session: 'cam' }, chunkOf(1, bytes.subarray(9000), true))
    expect(await followers[0].ended()).toBe('finished')
    expect(followers).toHaveLength(1)
    expect(followers[0].tracks.map(({ id }) => id).sort()).toEqual([1, 2, 3, 4])
    const { video } = await timesOf(bytes)
    const late = followers[0].times.video.filter((ms) => ms > Math.max(...video))
    expect(late[0]).toBeGreaterThan(3900) // it began four seconds after the camera
    expect(late[0]).toBeLessThan(8000)
  })
})

describe('who uploads what cannot be', () => {
  it('is told, and nothing is kept of it', async () => {
    const { send, uploads, directory } = await rig()
    const bad = chunkOf(0, Uint8Array.of(1, 2, 3), false, sha256(Uint8Array.of(9)))
    await expect(uploads.accept(ALICE, CAMERA, bad)).rejects.toMatchObject({ code: 'TD_CHUNK_CHECKSUM' })
    await expect(send(0, new Uint8Array(5_000_000))).rejects.toMatchObject({ code: 'TD_CHUNK_SIZE' })
    await expect(send(64, Uint8Array.of(1))).rejects.toMatchObject({ code: 'TD_CHUNK_CONFLICT' })
    const [name] = readdirSync(directory)
    expect(readdirSync(join(directory, name))).toEqual(['upload.json'])
  })

  it('has not said that it ends with a chunk that is refused', async () => {
    const { send, uploads } = await rig()
    const last = chunkOf(0, Uint8Array.of(1, 2, 3), true, sha256(Uint8Array.of(9)))
    await expect(uploads.accept(ALICE, CAMERA, last)).rejects.toMatchObject({ code: 'TD_CHUNK_CHECKSUM' })
    await send(1, Uint8Array.of(4))
    expect(await uploads.status(ALICE, CAMERA.session)).toMatchObject({ state: 'open', early: [1] })
  })

  it('has ten megabytes on their way, and eight uploads', async () => {
    const { send, uploads } = await rig()
    const big = new Uint8Array(4_000_000)
    await send(1, big)
    await send(2, big)
    await expect(send(3, big)).rejects.toMatchObject({ code: 'TD_UPLOAD_BUSY' })
    for (let i = 0; i < 7; i++) {
      await uploads.accept(ALICE, { session: `s${i}` }, chunkOf(1, Uint8Array.of(1)))
    }
    const ninth = uploads.accept(ALICE, { session: 'nine' }, chunkOf(0, Uint8Array.of(1)))
    await expect(ninth).rejects.toMatchObject({ code: 'TD_UPLOAD_BUSY' })
  })

  it('has ten megabytes on their way together, too', async () => {
    const { send, uploads } = await rig()
    const big = new Uint8Array(4_000_000)
    const sent = await Promise.allSettled([1, 2, 3, 4, 5].map((seq) => send(seq, big)))
    const codes = sent.flatMap((each) => (each.status === 'rejected' ? [each.reason.code] : []))
    expect(codes.length).toBeGreaterThanOrEqual(3)
    expect(new Set(codes)).toEqual(new Set(['TD_UPLOAD_BUSY']))
    expect(uploads.stats.inFlightBytes).toBeLessThanOrEqual(10_000_000)
  })

  it.each([
    ['garbage', Buffer.alloc(3000, 7), 'TD_MALFORMED'],
    ['an ordinary MP4', mp4('ftyp', 16, 'mdat', 64), 'TD_UNSUPPORTED'],
    ['a box of gigabytes', mp4('ftyp', 16, 'moov', 2 ** 31), 'TD_LIMIT'],
    [
      'a fragment that never ends',
      Buffer.concat([recordedBytes('h264.mp4').subarray(0, 1220), mp4('mdat', 2 ** 30)]),
      'TD_LIMIT',
    ],
    [
      'an element of terabytes',
      Buffer.concat([recordedBytes('vp8.webm').subarray(0, 48), Buffer.from('ec01000fffffffffff0000000000', 'hex')]),
      'TD_LIMIT',
    ],
  ])('such as %s, ends that upload alone', async (_, bytes, code) => {
    const { send, uploads, hub } = await rig()
    await send(0, bytes)
    const failed = async () => {
      const status = await uploads.status(ALICE, 'a')
      return status.state === 'failed' ? status : undefined
    }
    expect((await found('the end of the upload', failed)).problem).toContain(code)
    await expect(send(1, Uint8Array.of(1))).rejects.toMatchObject({ code: 'TD_UPLOAD_ENDED' })
    await until(() => hub.streams.length === 0)
    expect(await uploads.accept(ALICE, { session: 'b' }, chunkOf(0, recordedBytes('vp8.webm'), true))).toMatchObject({
      nextSeq: 1,
    })
  })

  it('does not get a name that somebody has', async () => {
    const { send, hub } = await rig()
    hub.publish(ALICE, { source: 'embedded' })
    await expect(send(0, Uint8Array.of(1))).rejects.toMatchObject({ code: 'TD_NAME_BUSY' })
  })
})

/** Boxes of these types and sizes, the content zero as far as there is any. */
function mp4(...parts: readonly (string | number)[]): Buffer {
  const boxes: Buffer[] = []
  for (let i = 0; i < parts.length; i += 2) {
    const size = Number(parts[i + 1])
    const box = Buffer.alloc(Math.min(size, 64))
    box.writeUInt32BE(size)
    box.write(String(parts[i]), 4, 'latin1')
    boxes.push(box)
  }
  return Buffer.concat(boxes)
}
