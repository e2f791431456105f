import { isIP } from 'node:net'

/** A transport address that a peer may be reached at by UDP (RFC 8839 §5.1). */
export interface UdpCandidate {
  readonly foundation: string
  readonly priority: number
  /** Literal, without a zone. */
  readonly address: string
  readonly port: number
  readonly type: 'host' | 'srflx' | 'prflx' | 'relay'
}

/** Longer lines are nobody's candidate, characters. */
const MAX_LINE_CHARS = 512
const LINE =
  /^candidate:([\w+/]{1,32}) 1 udp (\d{1,10}) ([\da-f.:]{2,45}) (\d{1,5}) typ (host|srflx|prflx|relay)(?: [\x21-\x7e ]*)?$/i
const MAX_PRIORITY = 0xffff_ffff

/**
 * Reads `candidate:…`. Undefined for what is malformed, and for what is of no use here: TCP, other components than 1, and
 * names instead of addresses, which are never looked up since a peer chose them (browsers hide addresses behind `.local`; such
 * a peer is found when it sends).
 */
export function parseCandidate(line: string): UdpCandidate | undefined {
  if (line.length > MAX_LINE_CHARS) return undefined
  const match = LINE.exec(line.trim())
  if (match === null) return undefined
  const [, foundation, priorityText, address, portText, typeText] = match
  const priority = Number(priorityText)
  const port = Number(portText)
  if (isIP(address) === 0 || priority > MAX_PRIORITY || port < 1 || port > 0xffff) return undefined
  const type = typeText.toLowerCase()
  if (type !== 'host' && type !== 'srflx' && type !== 'prflx' && type !== 'relay') return undefined
  return { foundation, priority, address, port, type }
}

/** The line of `candidate`, with nothing in it but what was read. */
export function writeCandidate(candidate: UdpCandidate): string {
  const { foundation, priority, address, port, type } = candidate
  const related = type === 'host' ? '' : ` raddr ${isIP(address) === 6 ? '::' : '0.0.0.0'} rport 0` // RFC 8839 §5.1
  return `candidate:${foundation} 1 UDP ${priority} ${address} ${port} typ ${type}${related}`
}

/**
 * Host candidates for the addresses under which this host is reached from outside, beside its own: every port that is listened
 * on is said to be there, too.
 */
export function publicCandidates(own: readonly UdpCandidate[], addresses: readonly string[]): UdpCandidate[] {
  const added: UdpCandidate[] = []
  for (const address of addresses) {
    const ports = new Set<number>()
    for (const candidate of own) {
      const isAlike = candidate.type === 'host' && isIP(candidate.address) === isIP(address)
      if (!isAlike || ports.has(candidate.port) || own.some((known) => known.address === address)) continue
      ports.add(candidate.port)
      const foundation = `public${added.length + 1}`
      added.push({
        foundation,
        priority: Math.max(1, candidate.priority - 1),
        address,
        port: candidate.port,
        type: 'host',
      })
    }
  }
  return added
}
