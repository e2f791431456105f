import type { LookupAddress } from 'node:dns'
import { lookup } from 'node:dns/promises'
import { BlockList, isIP } from 'node:net'
import { TapedeckError } from '../media/errors.ts'

/** Addresses that are not of the public Internet: IANA special-purpose registries (RFC 6890 and its updates). */
const SPECIAL_IPV4: readonly (readonly [string, number])[] = [
  ['0.0.0.0', 8], // "this network", RFC 791 §3.2
  ['10.0.0.0', 8], // private, RFC 1918
  ['100.64.0.0', 10], // carrier-grade NAT, RFC 6598
  ['127.0.0.0', 8], // loopback, RFC 1122 §3.2.1.3
  ['169.254.0.0', 16], // link-local, RFC 3927; metadata of clouds
  ['172.16.0.0', 12], // private, RFC 1918
  ['192.0.0.0', 24], // protocol assignments, RFC 6890; metadata of one cloud
  ['192.0.2.0', 24], // documentation, RFC 5737
  ['192.88.99.0', 24], // 6to4 relays, RFC 7526
  ['192.168.0.0', 16], // private, RFC 1918
  ['198.18.0.0', 15], // benchmarking, RFC 2544
  ['198.51.100.0', 24], // documentation, RFC 5737
  ['203.0.113.0', 24], // documentation, RFC 5737
  ['224.0.0.0', 4], // multicast, RFC 5771
  ['240.0.0.0', 4], // reserved and broadcast, RFC 1112 §4
]
const SPECIAL_IPV6: readonly (readonly [string, number])[] = [
  ['64:ff9b::', 96], // NAT64: leads to any IPv4 address, RFC 6052
  ['64:ff9b:1::', 48], // local NAT64, RFC 8215
  ['100::', 64], // discard, RFC 6666
  ['2001::', 23], // protocol assignments, Teredo among them, RFC 2928
  ['2001:db8::', 32], // documentation, RFC 3849
  ['2002::', 16], // 6to4: leads to any IPv4 address, RFC 3056
  ['3fff::', 20], // documentation, RFC 9637
  ['5f00::', 16], // segment routing, RFC 9602
  ['fc00::', 7], // unique local, RFC 4193; metadata of one cloud
  ['fe80::', 10], // link-local, RFC 4291 §2.5.6
  ['fec0::', 10], // site-local of old, RFC 3879
  ['ff00::', 8], // multicast, RFC 4291 §2.7
]
/** Unspecified, loopback and IPv4-compatible addresses (`::/96`) as `URL` writes them, RFC 4291 §2.5. */
const LOW_IPV6 = /^\[::(?:[0-9a-f]{1,4}(?::[0-9a-f]{1,4})?)?\]$/
/** Most addresses of one name that are looked at. */
const MAX_ADDRESSES = 64

const special = new BlockList()
for (const [network, prefix] of SPECIAL_IPV4) special.addSubnet(network, prefix, 'ipv4')
for (const [network, prefix] of SPECIAL_IPV6) special.addSubnet(network, prefix, 'ipv6')

/** A webhook would go to an address that is not of the public Internet. */
export class WebhookAddressError extends TapedeckError {
  readonly code = 'TD_WEBHOOK_ADDRESS'
  readonly fault = 'caller'

  constructor(host: string, address: string) {
    super(
      `${host} is ${address}, which is not an address of the public Internet; ` +
        '--webhook-allow-private lets webhooks go there all the same',
    )
  }
}

/** Whether `address`, an IP address, is one of the public Internet. IPv4 in IPv6 clothes (`::ffff:…`) counts as IPv4. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address)
  if (family === 0 || address.includes('%')) return false
  if (family === 4) return !special.check(address, 'ipv4')
  return !LOW_IPV6.test(new URL(`http://[${address}]`).hostname) && !special.check(address, 'ipv6')
}

/**
 * The addresses of `host`, a name or an IP address without brackets. Whoever connects must connect to one of these, and not
 * ask for the name again: it may have another answer then.
 * @throws WebhookAddressError when one of them is not public and `allowPrivate` is false
 */
export async function resolveAddresses(host: string, allowPrivate: boolean): Promise<LookupAddress[]> {
  const family = isIP(host)
  const found = family !== 0 ? [{ address: host, family }] : await lookup(host, { all: true })
  const addresses = found.slice(0, MAX_ADDRESSES)
  const forbidden = allowPrivate ? undefined : addresses.find(({ address }) => !isPublicAddress(address))
  if (forbidden !== undefined) throw new WebhookAddressError(host, forbidden.address)
  return addresses
}
