import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { allOptions, ConfigError, environmentName, readSettings, serverSettings } from '../../src/config.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tapedeck-config-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

function read(flags: Record<string, unknown> = {}, environment: Record<string, string> = {}, file?: unknown) {
  if (file !== undefined) writeFileSync(join(directory, 'tapedeck.json'), JSON.stringify(file))
  return readSettings({ flags, environment, directory })
}

function problem(act: () => unknown): string {
  try {
    act()
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError)
    if (error instanceof ConfigError) {
      expect(error.code).toBe('TD_CONFIG')
      return error.message
    }
  }
  throw new Error('nothing was thrown')
}

describe('defaults', () => {
  it('record everything, listen on this machine alone', () => {
    expect(serverSettings()).toMatchObject({
      rtmp: { host: '127.0.0.1', port: 1935 },
      http: { host: '127.0.0.1', port: 8080 },
      recordAll: true,
      recordDir: './recordings',
      recordFormat: 'auto',
      recordMinFreeMb: 500,
      fsync: 'interval',
      fsyncInterval: 5000,
      stopTimeout: 30_000,
      allowAnonymous: false,
    })
  })

  it('every option has a description, a group, and a text of its default that means the default', () => {
    for (const option of allOptions) {
      expect(option.description.length, option.name).toBeGreaterThan(5)
      if (option.unset !== undefined || option.defaultText === undefined) continue
      const again = readSettings({
        flags: {},
        environment: { [environmentName(option.name)]: option.defaultText },
        directory,
      })
      expect(again[option.name], option.name).toEqual(serverSettings()[option.name])
    }
  })
})

describe('precedence', () => {
  it('flag over environment over file over default', () => {
    const file = { 'record-dir': 'from-file', 'record-format': 'mkv', recordMinFreeMb: 7 }
    const environment = { TAPEDECK_RECORD_DIR: 'from-environment', TAPEDECK_RECORD_FORMAT: 'flv' }
    expect(read({ recordDir: 'from-flag' }, environment, file)).toMatchObject({
      recordDir: 'from-flag',
      recordFormat: 'flv',
      recordMinFreeMb: 7,
      recordReport: false,
    })
  })

  it('a flag that says no wins over an environment that says yes', () => {
    expect(read({ recordAll: false }, { TAPEDECK_RECORD_ALL: 'yes' }).recordAll).toBe(false)
  })

  it('an empty variable counts as not set', () => {
    expect(read({}, { TAPEDECK_RECORD_FORMAT: '' }).recordFormat).toBe('auto')
  })

  it('--config over TAPEDECK_CONFIG over tapedeck.json', () => {
    writeFileSync(join(directory, 'a.json'), '{"record-dir":"a"}')
    writeFileSync(join(directory, 'b.json'), '{"record-dir":"b"}')
    const environment = { TAPEDECK_CONFIG: 'a.json' }
    expect(read({}, environment, { 'record-dir': 'default' }).recordDir).toBe('a')
    expect(readSettings({ flags: {}, environment, configFile: 'b.json', directory }).recordDir).toBe('b')
    expect(read().recordDir).toBe('default')
  })
})

describe('values', () => {
  it.each([
    ['127.0.0.1:1935', '127.0.0.1', 1935],
    ['1936', '127.0.0.1', 1936],
    [':1937', '0.0.0.0', 1937],
    ['*:0', '0.0.0.0', 0],
    ['[::1]:1938', '::1', 1938],
    ['media.example.org:1939', 'media.example.org', 1939],
  ])('endpoint %s', (text, host, port) => {
    expect(read({ rtmp: text }).rtmp).toEqual({ host, port })
  })

  it.each([
    ['90s', 90_000],
    ['2h', 7_200_000],
    ['1h30m', 5_400_000],
    ['1500ms', 1500],
    ['1.5m', 90_000],
  ])('duration %s', (text, ms) => {
    expect(read({ recordMaxDuration: text }).recordMaxDuration).toBe(ms)
  })

  it.each(['true', 'YES', 'on', '1'])('switch %s', (text) => {
    expect(read({}, { TAPEDECK_TAKEOVER: text }).takeover).toBe(true)
  })

  it('those of WebRTC', () => {
    const flags = { webrtcMaxBitrate: '2.5M', webrtcPublicAddress: '192.0.2.1, 2001:db8::1', webrtcPort: '0' }
    expect(read({ rtmp: 'off', webrtc: 'off' }).uploadIdle).toBe(30_000) // by uploads
    expect(read({ ...flags, iceServer: 'stun:a,turn:u:p@b:3478', rtmp: 'off' })).toMatchObject({
      webrtc: 'on',
      webrtcPort: 0,
      webrtcMaxBitrate: 2_500_000,
      webrtcPublicAddress: ['192.0.2.1', '2001:db8::1'],
      iceServer: ['stun:a', 'turn:u:p@b:3478'],
      webrtcJitterBudget: 1000,
      recordLayers: 'best',
    })
  })

  it('http off', () => {
    expect(read({}, { TAPEDECK_HTTP: 'off' }).http).toBe('off')
  })
})

describe('mistakes say which option, from where, what was given and what is allowed', () => {
  it.each<[Record<string, unknown>, string]>([
    [{ recordFormat: 'avi' }, '--record-format: "avi" cannot be used; auto, mp4, webm, mkv, flv'],
    [{ rtmp: 'localhost' }, '--rtmp: "localhost" cannot be used; host:port'],
    [{ rtmp: 'localhost:70000' }, '--rtmp: "localhost:70000" cannot be used'],
    [{ recordMaxDuration: '20' }, '--record-max-duration: "20" cannot be used; a number with a unit'],
    [{ recordMaxDuration: '-2h' }, '--record-max-duration: "-2h" cannot be used'],
    [{ recordMinFreeMb: 'lots' }, '--record-min-free-mb: "lots" cannot be used; whole megabytes from 0'],
    [{ maxConnections: '0' }, '--max-connections: "0" cannot be used; a whole number from 1 to 1000000'],
    [{ fsync: 'sometimes' }, '--fsync: "sometimes" cannot be used; interval, always, never'],
    [{ rtmps: '127.0.0.1:1936' }, '--rtmps: needs --tls-cert as well'],
    [{ jobConcurrency: 0 }, '--job-concurrency: 0 leaves jobs to "tapedeck worker"'],
    [{ requireToken: true, allowAnonymous: true }, '--allow-anonymous: contradicts --require-token'],
    [{ rtmp: 'off', http: 'off' }, '--rtmp: off, no --rtmps, and no --http'],
    [{ webrtc: 'maybe' }, '--webrtc: "maybe" cannot be used; on, off'],
    [{ webrtcMaxBitrate: '10' }, '--webrtc-max-bitrate: "10" cannot be used; bits per second from 50k'],
    [{ webrtcPublicAddress: '192.0.2.1,nowhere' }, '--webrtc-public-address: "192.0.2.1,nowhere" cannot be used; IP'],
    [{ iceServer: 'stun:a,http://b' }, '--ice-server: "stun:a,http://b" cannot be used; stun:host:port'],
    [
      { iceServer: 'stun:a,turn:b:3478' },
      '--ice-server: turn: needs user:password before the host, or --turn-secret-file',
    ],
    [{ turnSecretFile: 'x', iceServer: 'turn:u:p@b' }, '--turn-secret-file: is of use only together with'],
    [{ recordDir: '' }, '--record-dir: "" cannot be used'],
  ])('flag %j', (flags, message) => {
    expect(problem(() => read(flags))).toContain(message)
  })

  it('environment', () => {
    expect(problem(() => read({}, { TAPEDECK_FSYNC: 'maybe' }))).toBe(
      'TAPEDECK_FSYNC: "maybe" cannot be used; interval, always, never',
    )
    expect(problem(() => read({}, { TAPEDECK_RECROD_DIR: 'x' }))).toBe(
      'TAPEDECK_RECROD_DIR: there is no such setting; is TAPEDECK_RECORD_DIR meant?',
    )
  })

  it('leaves variables alone that a container platform sets', () => {
    const environment = { TAPEDECK_PORT: 'tcp://10.0.0.1:1935', TAPEDECK_SERVICE_HOST: '10.0.0.1' }
    expect(read({}, environment).rtmp).toEqual({ host: '127.0.0.1', port: 1935 })
  })

  it('file', () => {
    const path = join(directory, 'tapedeck.json')
    expect(problem(() => read({}, {}, { 'record-formt': 'mp4' }))).toBe(
      `"record-formt" in ${path}: there is no such setting; is "record-format" meant?`,
    )
    expect(problem(() => read({}, {}, { recordMinFreeMb: '500' }))).toContain(
      `"recordMinFreeMb" in ${path}: "500" cannot be used`,
    )
    expect(problem(() => read({}, {}, [1, 2]))).toContain(`${path}: must hold one JSON object`)
    writeFileSync(path, '{"record-dir": ')
    expect(problem(() => read())).toContain(`${path}: is not JSON`)
    expect(problem(() => readSettings({ flags: {}, environment: {}, configFile: 'none.json', directory }))).toBe(
      '--config none.json: there is no such file',
    )
  })

  it('names all of them at once', () => {
    const message = problem(() => read({ recordFormat: 'avi', fsync: 'x' }, { TAPEDECK_RTMP: 'y' }, { nothing: 1 }))
    expect(message.split('\n')).toHaveLength(4)
  })
})
