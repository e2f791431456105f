import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import { ConfigError } from './error.ts'
import type { Settings } from './settings-schema.ts'

/** A certificate chain and its key, PEM, as a TLS server takes them. */
export interface TlsFiles {
  readonly cert: Buffer
  readonly key: Buffer
}

/**
 * The files of --tls-cert and --tls-key; undefined when there is no --rtmps.
 * @throws ConfigError when one cannot be read, or they do not belong together
 */
export function readTlsFiles(settings: Pick<Settings, 'rtmps' | 'tlsCert' | 'tlsKey'>): TlsFiles | undefined {
  if (settings.rtmps === undefined) return undefined
  const cert = readPem('--tls-cert', settings.tlsCert)
  const key = readPem('--tls-key', settings.tlsKey)
  try {
    createSecureContext({ cert, key })
  } catch (error) {
    throw configError('--tls-cert, --tls-key', `cannot be used: ${messageOf(error)}`, error)
  }
  return { cert, key }
}

function readPem(option: string, path: string | undefined): Buffer {
  if (path === undefined) throw configError(option, 'is needed with --rtmps')
  try {
    return readFileSync(path)
  } catch (error) {
    throw configError(`${option} ${path}`, `cannot be read: ${messageOf(error)}`, error)
  }
}

function configError(option: string, problem: string, cause?: unknown): ConfigError {
  return new ConfigError([{ option, source: 'flag', problem }], { cause })
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
