import { BlockList, isIP } from 'node:net'

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

/** Whether `address` (`host`, `host:port` or `[host]:port`) is this machine itself, also as IPv4 mapped into IPv6. */
export function isLoopback(address: string): boolean {
  const bare = isIP(address) ? address : address.replace(/:\d+$/, '').replace(/^\[|\]$/g, '')
  const family = isIP(bare)
  return family !== 0 && loopback.check(bare, family === 6 ? 'ipv6' : 'ipv4')
}
