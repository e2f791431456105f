import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { RtmpConnectError } from './errors.ts'
import type { RtmpAddress } from './url.ts'

/** How far a TLS server is trusted. */
export interface ClientTls {
  /** PEM of further authorities, such as a certificate signed by itself. */
  readonly ca?: string | Buffer
  /** False takes any certificate. */
  readonly rejectUnauthorized?: boolean
}

/** Connects, TLS included. @throws RtmpConnectError; the reason of `signal` when it is aborted */
export async function openSocket(address: RtmpAddress, tls: ClientTls, signal: AbortSignal): Promise<Socket> {
  signal.throwIfAborted()
  const socket = address.secure ? openTls(address, tls) : connectTcp({ host: address.host, port: address.port })
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const abort = () => reject(signal.reason)
  socket.once(address.secure ? 'secureConnect' : 'connect', resolve)
  socket.once('error', reject)
  socket.once('close', () => reject(new Error('closed while connecting')))
  signal.addEventListener('abort', abort)
  try {
    await promise
  } catch (error) {
    socket.destroy()
    if (signal.aborted) throw error
    throw new RtmpConnectError(`${address.host}:${address.port}`, explain(error), { cause: error })
  } finally {
    signal.removeEventListener('abort', abort)
    socket.off('error', reject)
  }
  socket.setNoDelay(true)
  return socket
}

function openTls(address: RtmpAddress, tls: ClientTls): TLSSocket {
  const isName = /[a-z]/i.test(address.host) && !address.host.includes(':')
  return connectTls({ ...tls, host: address.host, port: address.port, ...(isName ? { servername: address.host } : {}) })
}

function explain(error: unknown): string {
  if (!(error instanceof Error)) return 'failed'
  const code = 'code' in error ? String(error.code) : ''
  return (
    FAILURES[code] ??
    (code.includes('TLS') || code.includes('CERT') || code.startsWith('ERR_SSL')
      ? `TLS failed: ${error.message}`
      : error.message)
  )
}

const FAILURES: { readonly [code: string]: string } = {
  ECONNREFUSED: 'nobody listens there (connection refused)',
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'the host name cannot be looked up now',
  EHOSTUNREACH: 'no way to this host',
  ENETUNREACH: 'no way to this network',
  ETIMEDOUT: 'no answer',
  ECONNRESET: 'the other end broke off while connecting',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'TLS failed: the certificate is signed by itself',
  CERT_HAS_EXPIRED: 'TLS failed: the certificate has expired',
}
