import { TapedeckError } from '../media/errors.ts'

const ADVICE: Readonly<Record<string, string>> = {
  EADDRINUSE: 'something listens there already, perhaps another tapedeck; stop it, or choose another port',
  EACCES:
    'this user may not listen there; ports below 1024 need a privilege (setcap cap_net_bind_service), or choose a higher one',
  EADDRNOTAVAIL: 'this machine has no such address; use one of its own, or *:port for all of them',
  ENOTFOUND: 'this host name is not known; use an address of this machine, or *:port for all of them',
}

/** A server could not listen: `option` is the setting to change, the system's error is the cause. */
export class ListenError extends TapedeckError {
  readonly code = 'TD_LISTEN'
  readonly fault = 'host'

  constructor(option: string, endpoint: { readonly host: string; readonly port: number }, cause: unknown) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
    const reason = ADVICE[code] ?? (cause instanceof Error ? cause.message : String(cause))
    const host = endpoint.host.includes(':') ? `[${endpoint.host}]` : endpoint.host
    super(`cannot listen on ${host}:${endpoint.port} (${option}): ${reason}`, { cause })
  }
}
