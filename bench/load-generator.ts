import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { workspace } from './media.ts'

/** What the generator reports; see rtmpload/README.md. */
export interface LoadReport {
  readonly elapsed_s: number
  readonly pub_ok: number
  readonly tx_bytes: number
  readonly vtx: number
  readonly atx: number
  readonly max_lag_ms: number
  readonly play_ok: number
  readonly rx_bytes: number
  readonly lat_ms: readonly [number, number, number]
  readonly err: string
  readonly loadgen_cpu_s: number
}

const source = join(import.meta.dirname, 'rtmpload', 'rtmpload.c')

/** Compiles the generator where that is needed. */
export function loadGenerator(): string {
  const binary = join(workspace, 'rtmpload')
  if (existsSync(binary) && statSync(binary).mtimeMs > statSync(source).mtimeMs) return binary
  mkdirSync(workspace, { recursive: true })
  const { status, stderr } = spawnSync('gcc', ['-O2', '-o', binary, source, '-lm'], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`gcc could not compile the load generator: ${stderr}`)
  return binary
}

/** Runs the generator against 127.0.0.1 until it is done. */
export function runLoad(args: readonly string[]): Promise<LoadReport> {
  return new Promise((resolve, reject) => {
    const child = spawn(loadGenerator(), args, { stdio: ['ignore', 'pipe', 'inherit'] })
    let output = ''
    child.stdout.on('data', (text) => {
      output += text
    })
    child.on('error', reject)
    child.on('close', (status) => {
      if (output.trim() === '') reject(new Error(`the load generator ended with ${status} and said nothing`))
      else resolve(JSON.parse(output.trim().split('\n').at(-1) ?? ''))
    })
  })
}
