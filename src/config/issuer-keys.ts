import { readFileSync } from 'node:fs'
import { createLocalJWKSet, createRemoteJWKSet, type JWTVerifyGetKey } from 'jose'
import { ConfigError } from './error.ts'
import type { Settings } from './settings-schema.ts'

/** A key set that does not come within this is not waited for, ms. */
const FETCH_TIMEOUT_MS = 5000
/** Between two fetches for keys that are not known, ms: a flood of made-up key ids must not become one of requests. */
const FETCH_COOLDOWN_MS = 30_000

/**
 * The public keys of --jwks, a JWK Set (RFC 7517 §5): of a file, read now, or of an address, fetched when first needed and
 * kept. Undefined when there is no --jwks.
 * @throws ConfigError when a file cannot be read, is no key set, or the address is not https
 */
export function issuerKeys({ jwks }: Pick<Settings, 'jwks'>): JWTVerifyGetKey | undefined {
  if (jwks === undefined) return undefined
  if (/^[a-z]+:\/\//i.test(jwks)) return remoteKeys(jwks)
  try {
    return createLocalJWKSet(JSON.parse(readFileSync(jwks, 'utf8')))
  } catch (error) {
    throw problem(jwks, `cannot be used: ${error instanceof Error ? error.message : String(error)}`, error)
  }
}

function remoteKeys(address: string): JWTVerifyGetKey {
  const url = URL.canParse(address) ? new URL(address) : undefined
  const isLocal = url?.hostname === '127.0.0.1' || url?.hostname === 'localhost'
  if (url === undefined || (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLocal))) {
    throw problem(address, 'must be a file or an https address')
  }
  return createRemoteJWKSet(url, { timeoutDuration: FETCH_TIMEOUT_MS, cooldownDuration: FETCH_COOLDOWN_MS })
}

function problem(jwks: string, what: string, cause?: unknown): ConfigError {
  return new ConfigError([{ option: `--jwks ${jwks}`, source: 'flag', problem: what }], { cause })
}
