import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { workspace } from './media.ts'

/** A server under measurement, started fresh, recording into `directory`. */
export interface BenchServer {
  readonly name: string
  readonly pid: number
  readonly rtmpPort: number
  /** 0 where it has none. */
  readonly httpPort: number
  readonly directory: string
  /** Resolves when nothing is being recorded any more and all files are complete. */
  quiet(): Promise<void>
  stop(): Promise<void>
}

const ports = { tapedeck: 21935, tapedeckHttp: 21980, nginx: 21936 }

/** Resolves when something listens there. */
export async function listening(port: number, child: ChildProcess): Promise<void> {
  const deadline = performance.now() + 30_000
  while (performance.now() < deadline) {
    if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}`)
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false))
      socket.on('connect', () => socket.destroy())
    })
    if (open) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`nothing listens on port ${port}`)
}

/** Ends a child and waits until it is gone. */
export async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  child.kill(signal)
  await gone
}

/** An empty directory in the workspace. */
export function freshDirectory(name: string): string {
  const directory = join(workspace, name)
  rmSync(directory, { recursive: true, force: true })
  mkdirSync(directory, { recursive: true })
  return directory
}

/** tapedeck as users start it, from dist/, with further flags; or a `host` of this directory that takes the same ones. */
export async function startTapedeck(
  name: string,
  flags: readonly string[],
  options: { readonly host?: string } = {},
): Promise<BenchServer> {
  const directory = freshDirectory(`tapedeck-${name.replaceAll(/\W+/g, '-')}`)
  const main = join(import.meta.dirname, options.host ?? '../dist/cli/main.js')
  const child = spawn(
    process.execPath,
    [
      ...[main, 'serve', '--rtmp', `127.0.0.1:${ports.tapedeck}`, '--http', `127.0.0.1:${ports.tapedeckHttp}`],
      ...[
        '--record-dir',
        join(directory, 'files'),
        '--data-dir',
        join(directory, 'data'),
        '--log-level',
        'warn',
        ...flags,
      ],
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  )
  await listening(ports.tapedeck, child)
  return {
    name: `tapedeck ${name}`,
    pid: child.pid ?? 0,
    rtmpPort: ports.tapedeck,
    httpPort: ports.tapedeckHttp,
    directory: join(directory, 'files'),
    quiet: () => noOpenFiles(child.pid ?? 0, join(directory, 'files')),
    stop: () => ended(child, 'SIGTERM'),
  }
}

/** For a second no file was open: what is written soon after the end counts, and nothing is asked of the server meanwhile. */
async function noOpenFiles(pid: number, directory: string): Promise<void> {
  let closedSinceMs = performance.now()
  while (performance.now() - closedSinceMs < 1000) {
    await new Promise((resolve) => setTimeout(resolve, 100))
    if (openFiles(pid).some((path) => path.startsWith(directory))) closedSinceMs = performance.now()
  }
}

function openFiles(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`)
    } catch {
      return [] // closed meanwhile
    }
  })
}

/** nginx with its RTMP module, recording everything as FLV; one worker, as tapedeck is one process. */
export async function startNginx(): Promise<BenchServer> {
  const directory = freshDirectory('nginx')
  const files = join(directory, 'files')
  mkdirSync(files, { mode: 0o777 })
  const config = join(directory, 'nginx.conf')
  writeFileSync(
    config,
    `load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;
    user root; worker_processes 1; daemon off; pid ${directory}/nginx.pid; error_log ${directory}/error.log error;
    events { worker_connections 4096; }
    rtmp { server { listen 127.0.0.1:${ports.nginx}; chunk_size 4096; max_message 8M;
      application live { live on; record all; record_path ${files}; record_unique on; } } }`,
  )
  const child = spawn('nginx', ['-c', config], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` },
  })
  await listening(ports.nginx, child)
  return {
    name: 'nginx-rtmp',
    pid: child.pid ?? 0,
    rtmpPort: ports.nginx,
    httpPort: 0,
    directory: files,
    quiet: async () => undefined,
    stop: () => ended(child, 'SIGTERM'),
  }
}
