import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { describeTrack, Frame, type ServerOptions, serverSettings, TapedeckServer } from '../../src/index.ts'

let directory: string
const running: TapedeckServer[] = []
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tapedeck-server-'))
})
afterEach(async () => {
  for (const server of running.splice(0)) await server.stop()
  rmSync(directory, { recursive: true })
})

function make(options: ServerOptions = {}): TapedeckServer {
  const server = new TapedeckServer(
    serverSettings({
      rtmp: '127.0.0.1:0',
      http: '127.0.0.1:0',
      recordDir: join(directory, 'recordings'),
      dataDir: join(directory, 'data'),
      ...options,
    }),
  )
  running.push(server)
  return server
}

async function started(options: ServerOptions = {}) {
  const server = make(options)
  const { rtmp, http } = await server.start()
  if (rtmp === undefined || http === undefined) throw new Error('not listening')
  return { server, rtmp, http, url: `http://127.0.0.1:${http.port}` }
}

const track = describeTrack({
  id: 1,
  epoch: 0,
  timescale: 48_000,
  codec: 'pcm-s16le',
  config: new Uint8Array(0),
  sampleRateHz: 48_000,
  channels: 1,
})

/** A live stream of silence, a second so far. */
function publish(server: TapedeckServer, participant = 'tone') {
  const stream = server.hub.publish({ room: 'studio', participant }, { source: 'embedded' })
  stream.track(track)
  for (let tick = 0; tick < 48_000; tick += 480) {
    stream.write(new Frame(track, tick, tick, true, new Uint8Array(960)))
  }
  stream.flush()
  return stream
}

describe('TapedeckServer', () => {
  it('tells the real ports, records what is published, and finishes it on stop', async () => {
    const { server, rtmp, http } = await started()
    expect(rtmp.port).toBeGreaterThan(0)
    expect(http.port).toBeGreaterThan(0)
    publish(server)
    expect(server.recorder.recordings).toHaveLength(1)
    expect(await server.stop()).toEqual({ unfinished: 0 })
    const [file] = readdirSync(join(directory, 'recordings'))
    expect(file).toMatch(/^studio_tone_.*\.mp4$/)
    expect(statSync(join(directory, 'recordings', file)).size).toBeGreaterThan(96_000)
    expect(await server.stop()).toEqual({ unfinished: 0 })
    await expect(fetch(`http://127.0.0.1:${http.port}/healthz`)).rejects.toThrow()
  })

  it('keeps secret, state and audit log to itself', async () => {
    const { server } = await started()
    publish(server)
    await server.stop()
    expect(statSync(join(directory, 'data')).mode & 0o077).toBe(0)
    for (const name of ['secret', 'audit.log']) {
      expect(statSync(join(directory, 'data', name)).mode & 0o077, name).toBe(0)
    }
  })

  it('says which address it cannot have, and closes again what was open', async () => {
    const first = await started()
    const rtmp = `127.0.0.1:${first.rtmp.port}`
    await expect(make({ rtmp, dataDir: join(directory, 'other') }).start()).rejects.toMatchObject({
      code: 'TD_LISTEN',
      message: expect.stringContaining(`cannot listen on ${rtmp} (--rtmp): something listens there already`),
    })
    const http = `127.0.0.1:${first.http.port}`
    await expect(make({ http, dataDir: join(directory, 'third') }).start()).rejects.toMatchObject({
      message: expect.stringContaining('(--http)'),
    })
    await expect(make({ rtmp: '192.0.2.1:1935' }).start()).rejects.toThrow('this machine has no such address')
    expect((await fetch(`${first.url}/healthz`)).status).toBe(200)
  })

  it('can be had once', async () => {
    const { server } = await started()
    await expect(server.start()).rejects.toMatchObject({ code: 'TD_MISUSE' })
  })

  it('refuses settings by name', () => {
    expect(() => serverSettings({ recordFormat: 'mp3' as never })).toThrow(
      'recordFormat: "mp3" cannot be used; auto, mp4',
    )
    expect(() => serverSettings({ recrodDir: 'x' } as never)).toThrow('is "recordDir" meant?')
    expect(() => make({ rtmps: '127.0.0.1:0', tlsCert: 'none', tlsKey: 'none' })).toThrow(
      '--tls-cert none: cannot be read',
    )
  })
})

describe('HTTP', () => {
  it('healthz and readyz say that all is well', async () => {
    const { server, url } = await started()
    publish(server)
    const health = await fetch(`${url}/healthz`)
    expect(health.status).toBe(200)
    expect(await health.json()).toMatchObject({
      status: 'ok',
      phase: 'running',
      listeners: { rtmp: true },
      recording: 'ok',
      recoveryPending: 0,
      streams: 1,
      recordings: 1,
    })
    expect((await fetch(`${url}/readyz`)).status).toBe(200)
    expect(readdirSync(join(directory, 'recordings')).filter((name) => name.includes('probe'))).toEqual([])
  })

  it('a directory that cannot be written: alive, but not ready', async () => {
    writeFileSync(join(directory, 'file'), '')
    const { url } = await started({ recordDir: join(directory, 'file', 'below') })
    const health = await fetch(`${url}/healthz`)
    expect(health.status).toBe(200)
    expect(await health.json()).toMatchObject({ status: 'degraded', recording: 'not-writable' })
    expect((await fetch(`${url}/readyz`)).status).toBe(503)
  })

  it('a disk without room: the same', async () => {
    const { url } = await started({ recordMinFreeMb: 16_000_000 })
    expect(await (await fetch(`${url}/readyz`)).json()).toMatchObject({ ready: false, recording: 'disk-full' })
  })

  it('where only what is asked for is recorded, that takes a disk, too', async () => {
    writeFileSync(join(directory, 'file'), '')
    const { url } = await started({ recordAll: false, recordDir: join(directory, 'file', 'below') })
    expect(await (await fetch(`${url}/readyz`)).json()).toMatchObject({
      ready: false,
      recording: 'not-writable',
    })
  })

  it('tells strangers no names and no paths', async () => {
    const { server, url } = await started()
    publish(server, 'secret-name')
    const text = await (await fetch(`${url}/healthz`)).text()
    expect(text).not.toContain('secret-name')
    expect(text).not.toContain(directory)
  })

  it('metrics count streams, recordings, bytes, also of what is over', async () => {
    mkdirSync(join(directory, 'recordings'))
    writeFileSync(join(directory, 'recordings', 'notes.txt'), 'of somebody'.repeat(20_000)) // counted once a minute
    const { server, url } = await started()
    const value = async (name: string) =>
      Number(
        new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(await (await fetch(`${url}/metrics`)).text())?.[1],
      )
    const stream = publish(server, 'a"b\\c')
    expect(await value('tapedeck_streams')).toBe(1)
    expect(await value('tapedeck_recordings_active')).toBe(1)
    expect(await (await fetch(`${url}/metrics`)).text()).toContain('participant="a\\"b\\\\c"')
    stream.end('finished')
    await expect.poll(() => value('tapedeck_recordings_active')).toBe(0)
    expect(await value('tapedeck_recordings_total')).toBe(1)
    expect(await value('tapedeck_recorded_bytes_total')).toBe(96_000)
    expect(await value('tapedeck_recorded_frames_total')).toBe(100)
    expect(await value('tapedeck_received_bytes_total')).toBe(96_000)
    expect(await value('tapedeck_streams')).toBe(0)
    expect(await value('tapedeck_recovery_pending')).toBe(0)
    expect(await value('tapedeck_disk_free_bytes')).toBeGreaterThan(0)
    expect(await value('tapedeck_recordings_created_total')).toBe(1)
    await expect.poll(() => value('tapedeck_processing_seconds_count')).toBe(1)
    expect(await value('tapedeck_state_up')).toBe(1)
    expect(await value('tapedeck_storage_used_bytes')).toBeGreaterThanOrEqual(220_000)
    expect(await value('tapedeck_webhook_backlog')).toBe(0)
    expect(await value('tapedeck_jobs')).toBe(0)
    expect(await value('nodejs_eventloop_lag_seconds')).toBeGreaterThanOrEqual(0)
  })

  it('metrics tell what failed and why, and what receivers have not taken', async () => {
    const nobody = 'http://127.0.0.1:9/' // discard: nobody listens
    const { server, url } = await started({ webhookUrl: nobody, webhookAllowPrivate: true, recordAll: false })
    const page = async () => (await fetch(`${url}/metrics`)).text()
    publish(server)
    const { recording } = await server.control.start({ roomId: 'live', userId: null, participants: ['nobody'] })
    expect(await page()).toMatch(/^tapedeck_recordings\{status="pending"\} 1$/m)
    await server.control.stop(recording.recording_id)
    await server.control.finished(recording.recording_id)
    await expect.poll(page).toMatch(/^tapedeck_webhook_backlog\{state="waiting"\} [1-9]\d*$/m)
    const text = await page()
    expect(text).toMatch(/^tapedeck_recordings\{status="pending"\} 0$/m)
    expect(text).toMatch(/^tapedeck_recordings_failed_total\{reason="TD_NOBODY_CAME"\} 1$/m)
    expect(text).toMatch(/^tapedeck_recordings_created_total 1$/m)
    expect(text).toMatch(/^tapedeck_stream_bitrate_bps\{room="\w+",participant="tone"\} \d/m)
    expect(text).toMatch(/^tapedeck_stream_dropped_frames\{room="\w+",participant="tone"\} 0$/m)
  })

  it('answers everything else in one shape', async () => {
    const { url } = await started({ requireToken: true })
    const missing = await fetch(`${url}/nothing`)
    expect(missing.status).toBe(404)
    expect(await missing.json()).toEqual({
      error: { code: 'TD_NOT_FOUND', message: 'there is no GET /nothing here', fault: 'caller', details: [] },
    })
    const metrics = await fetch(`${url}/metrics`)
    expect(metrics.status).toBe(401)
    expect(metrics.headers.get('www-authenticate')).toBe('Bearer')
    const large = await fetch(`${url}/healthz`, { method: 'POST', body: 'x'.repeat(10_000) })
    expect(large.status).toBe(413)
    expect(await large.json()).toMatchObject({ error: { code: 'TD_BAD_REQUEST', fault: 'caller' } })
    expect((await fetch(`${url}/healthz`, { method: 'HEAD' })).status).toBe(200)
  })
})

describe('a server that ran before', () => {
  it('left nothing that a new one minds', async () => {
    const { server } = await started()
    publish(server)
    await server.stop()
    const again = await started()
    expect(await (await fetch(`${again.url}/healthz`)).json()).toMatchObject({ status: 'ok', recoveryPending: 0 })
    expect(existsSync(join(directory, 'data', 'state.db'))).toBe(true)
  })
})
