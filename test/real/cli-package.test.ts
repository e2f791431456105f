import { execFile } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { scratch } from '../peers/tapedeck.ts'

const run = promisify(execFile)
const root = resolve(import.meta.dirname, '../..')
const place = scratch('package')
const built = join(place.path, 'source')
const user = join(place.path, 'user')
/** The Node that runs the tests, for scripts that say `node`. */
const env = { ...process.env, PATH: `${join(root, 'node_modules/.bin')}:${process.env.PATH}` }
afterAll(() => place.drop())

/** Packs a copy of the source, so that nobody's dist/ changes, and installs the package into an empty folder. */
beforeAll(async () => {
  mkdirSync(built)
  mkdirSync(user)
  const parts = [
    'src',
    'scripts',
    'docs',
    'package.json',
    'tsconfig.json',
    'tsconfig.build.json',
    'README.md',
    'LICENSE',
  ]
  for (const part of parts.filter((name) => existsSync(join(root, name)))) {
    cpSync(join(root, part), join(built, part), { recursive: true })
  }
  symlinkSync(join(root, 'node_modules'), join(built, 'node_modules'))
  await run('npm', ['pack', '--pack-destination', place.path], { cwd: built, env })
  const [tarball] = readdirSync(place.path).filter((name) => name.endsWith('.tgz'))
  writeFileSync(join(user, 'package.json'), '{ "private": true, "type": "module" }')
  await run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', join(place.path, tarball)], {
    cwd: user,
    env,
  })
}, 300_000)

describe('the package as its users get it', () => {
  const installed = join(user, 'node_modules/tapedeck')

  it('holds what it needs and nothing else', () => {
    expect(readdirSync(installed).sort()).toEqual(expect.arrayContaining(['LICENSE', 'dist', 'package.json']))
    for (const name of ['src', 'test', 'bench', 'fuzz', 'scripts'])
      expect(existsSync(join(installed, name)), name).toBe(false)
    expect(statSync(join(installed, 'dist/cli/main.js')).mode & 0o111).toBe(0o111)
    expect(readdirSync(join(user, 'node_modules')).filter((name) => /^(vitest|typescript|node)$/.test(name))).toEqual(
      [],
    )
  })

  it('runs as a command', async () => {
    const { stdout } = await run(join(user, 'node_modules/.bin/tapedeck'), ['--version'], { env })
    expect(stdout.trim()).toBe(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version)
    expect((await run(join(user, 'node_modules/.bin/tapedeck'), ['serve', '--help'], { env })).stdout).toContain(
      '--record-dir',
    )
  })

  it('is a library with types', async () => {
    const program = `
      import { AudioRecorder, serverSettings, TapedeckServer } from 'tapedeck'
      const recorder = await AudioRecorder.open('tone.flac', { sampleRateHz: 48000, channels: 1 })
      recorder.writeSamples(new Int16Array(48000))
      const server = new TapedeckServer(serverSettings({ rtmp: '127.0.0.1:0', http: '127.0.0.1:0' }))
      const { rtmp } = await server.start()
      await server.stop()
      console.log((await recorder.finalize()).durationMs, rtmp?.host)
    `
    writeFileSync(join(user, 'program.ts'), program)
    const { stdout } = await run(process.execPath, ['program.ts'], { cwd: user })
    expect(stdout).toBe('1000 127.0.0.1\n')
    writeFileSync(
      join(user, 'tsconfig.json'),
      JSON.stringify({
        compilerOptions: {
          module: 'nodenext',
          target: 'es2024',
          strict: true,
          noEmit: true,
          types: ['node'],
          lib: ['es2024'],
        },
        files: ['program.ts'],
      }),
    )
    symlinkSync(join(root, 'node_modules/@types'), join(user, 'node_modules/@types'))
    const { stdout: faults } = await run('tsc', ['-p', '.'], { cwd: user, env }).catch(
      (error: { stdout: string }) => error,
    )
    expect(faults).toBe('')
  })
})

it('an older Node is told what is needed, before anything else can fail', async () => {
  const text = readFileSync(join(root, 'src/cli/main.ts'), 'utf8')
  expect(text).not.toMatch(/^import /m)
  const old = text.replace('process.versions.node', "'20.20.2'")
  writeFileSync(join(place.path, 'main.ts'), old)
  await expect(run(process.execPath, [join(place.path, 'main.ts'), 'serve'])).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^tapedeck needs Node\.js 24 or later/),
  })
})
