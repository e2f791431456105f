import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

type DataChannelLibrary = typeof import('node-datachannel')

/** The profiles that the library offers, best first, as they stand in its binary. */
const ALL_PROFILES = 'SRTP_AEAD_AES_256_GCM:SRTP_AEAD_AES_128_GCM:SRTP_AES128_CM_SHA1_80'
const ONLY_CM = 'SRTP_AES128_CM_SHA1_80\0'

const require = createRequire(import.meta.url)

/**
 * node-datachannel, natively.
 *
 * `cm`: a copy of it that knows AES_CM_128_HMAC_SHA1_80 alone, which is what Chromium negotiates with a server that connects to
 * it (RFC 8827 §6.5 demands it of everybody), while two of the library's own would agree on AES-256-GCM.
 */
export function dataChannelLibrary(profile: 'any' | 'cm'): DataChannelLibrary {
  const path = require.resolve(`@node-datachannel/${process.platform}-${process.arch}-gnu`)
  if (profile === 'any') return require(path)
  const binary = readFileSync(path)
  const at = binary.indexOf(ALL_PROFILES)
  if (at < 0) throw new Error(`${path} has no list of SRTP profiles`)
  binary.write(ONLY_CM, at, 'latin1')
  const copy = join(tmpdir(), `datachannel-cm-${process.pid}.node`)
  writeFileSync(copy, binary)
  const library: DataChannelLibrary = require(copy)
  rmSync(copy) // loaded, it needs no name
  return library
}
