import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { jwtVerify } from 'jose'
import { afterAll, describe, expect, it } from 'vitest'
import { allOptions, environmentName, kebab } from '../../src/config.ts'
import { cli } from '../peers/cli.ts'
import { main } from '../peers/program.ts'

const directory = mkdtempSync(join(tmpdir(), 'tapedeck-usage-'))
afterAll(() => rmSync(directory, { recursive: true }))
const run = (...args: string[]) => cli(directory, args)

describe('help', () => {
  it('of serve names every setting, its variable and its default', async () => {
    const { code, stdout } = await run('serve', '--help')
    expect(code).toBe(0)
    const flat = stdout.replaceAll(/\s+/g, ' ')
    for (const option of allOptions) {
      expect(flat).toContain(`--${kebab(option.name)}`)
      expect(flat).toContain(`[env: ${environmentName(option.name)}]`)
    }
    expect(flat).toContain('[default: 127.0.0.1:1935]')
    expect(flat).toContain('--no-record-all')
    expect(flat).toContain('--record, --record-all')
  })

  it.each(['serve', 'record', 'repair', 'inspect', 'token'])('of %s has examples and exit codes', async (command) => {
    const { code, stdout } = await run(command, '--help')
    expect(code).toBe(0)
    expect(stdout).toMatch(/Examples:\n {2}(tapedeck|ffmpeg)/)
    expect(stdout).toContain('130  left at once')
  })

  it('and version', async () => {
    expect((await run('--help')).code).toBe(0)
    expect((await run('help', 'serve')).stdout).toContain('--record-dir')
    const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8'))
    expect((await run('--version')).stdout).toBe(`${version}\n`)
  })

  it('that nobody reads any more ends without a complaint', async () => {
    const child = spawn(process.execPath, [main, '--help'], { stdio: ['ignore', 'pipe', 'pipe'] })
    child.stdout.destroy()
    let said = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
    const [code] = await once(child, 'close')
    expect([code, said]).toEqual([0, ''])
  })
})

describe('mistakes end with 2 and say what is meant', () => {
  it.each<[string[], RegExp]>([
    [['serv'], /unknown command 'serv'[\s\S]*Did you mean serve/],
    [['serve', '--recrod-dir', 'x'], /unknown option '--recrod-dir'[\s\S]*Did you mean --record-dir/],
    [
      ['serve', '--record-format', 'avi'],
      /TD_CONFIG[\s\S]*--record-format: "avi" cannot be used; auto, mp4, webm, mkv/,
    ],
    [['serve', '--record-filename', '{rom}_x'], /--record-filename: [\s\S]*\{room\}/],
    [['serve', '--rtmp', 'nowhere'], /--rtmp: "nowhere" cannot be used; host:port/],
    [
      ['serve', '--rtmps', '*:1936', '--tls-cert', 'no.pem', '--tls-key', 'no.key'],
      /--tls-cert no\.pem: cannot be read/,
    ],
    [['serve', '--config', 'none.json'], /--config none\.json: there is no such file/],
    [['serve', 'extra'], /too many arguments/],
    [['inspect'], /missing required argument 'file'/],
    [['record'], /missing required argument 'url'/],
    [['record', 'rtmp://127.0.0.1/a/b', '--duration', 'long'], /--duration: "long" cannot be used/],
    [['record', 'rtmp://127.0.0.1/a/b', '--format', 'avi'], /Allowed choices are mp4, flv, mkv/],
    [['token', '--publish'], /--room: is needed/],
    [['token', '--room', 'a', '--ttl', '2'], /--ttl: "2" cannot be used; 1s to 366d/],
  ])('%j', async (args, message) => {
    const { code, stdout, stderr } = await run(...args)
    expect(code).toBe(2)
    expect(stderr).toMatch(message)
    expect(stderr).not.toMatch(/\n\s+at /)
    expect(stdout).toBe('')
  })
})

describe('what cannot be done ends with 1, without a stack', () => {
  it.each<[string[], RegExp]>([
    [['inspect', 'none.mp4'], /cannot open none\.mp4: no such file or directory \(TD_FILE_MISSING\)/],
    [['repair', 'none.mp4'], /cannot open none\.mp4: no such file or directory \(TD_FILE_MISSING\)/],
    [['record', 'http://127.0.0.1/a/b'], /TD_RTMP_URL/],
    [['record', 'rtmp://127.0.0.1:1/a/b'], /TD_RTMP_CONNECT/],
  ])('%j', async (args, message) => {
    const { code, stderr } = await run(...args)
    expect(code).toBe(1)
    expect(stderr).toMatch(message)
    expect(stderr).not.toMatch(/\n\s+at /)
  })

  it('--log-level debug shows where it came from', async () => {
    const { code, stderr } = await run('record', 'rtmp://127.0.0.1:1/a/b', '--log-level', 'debug')
    expect(code).toBe(1)
    expect(stderr).toMatch(/\n\s+at /)
  })
})

describe('inspect and repair of what is no recording', () => {
  it('say so', async () => {
    writeFileSync(join(directory, 'text.mp4'), 'no movie at all')
    const inspected = await run('inspect', 'text.mp4')
    expect(inspected).toMatchObject({ code: 1, stdout: '' })
    expect(inspected.stderr).toContain('TD_MALFORMED')
    const repaired = await run('repair', '--json', 'text.mp4')
    expect(repaired.code).toBe(1)
    expect(JSON.parse(repaired.stdout)).toMatchObject({ path: 'text.mp4', ok: false, error: { code: 'TD_MALFORMED' } })
    expect(readFileSync(join(directory, 'text.mp4'), 'utf8')).toBe('no movie at all')
  })
})

describe('token', () => {
  it('is signed with the secret in the data directory, made when missing', async () => {
    const flags = [
      '--room',
      'standup',
      '--name',
      'alice',
      '--user',
      'u1',
      '--publish',
      '--ttl',
      '10m',
      '--data-dir',
      'd',
    ]
    const { code, stdout } = await run('token', ...flags)
    expect(code).toBe(0)
    const path = join(directory, 'd', 'secret')
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(readdirSync(join(directory, 'd'))).toEqual(['secret'])
    const key = Buffer.from(readFileSync(path, 'utf8').trim())
    const { payload } = await jwtVerify(stdout.trim(), key, { algorithms: ['HS256'] })
    expect(payload).toMatchObject({ sub: 'u1', rooms: ['standup'], participant: 'alice', grants: ['publish'] })
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(600)
  })

  it('--room "*" is for all rooms, and reads the directory from the environment', async () => {
    const { stdout } = await cli(directory, ['token', '--room', '*'], { TAPEDECK_DATA_DIR: 'e' })
    const key = Buffer.from(readFileSync(join(directory, 'e', 'secret'), 'utf8').trim())
    const { payload } = await jwtVerify(stdout.trim(), key)
    expect(payload).toMatchObject({ rooms: '*', grants: ['publish', 'play'] })
  })
})
