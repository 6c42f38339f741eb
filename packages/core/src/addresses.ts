/**
 * Which IP addresses are internal: not to be reached because a message pointed there; and lists of addresses that a
 * configuration names.
 *
 * Source: IANA special-purpose address registries (RFC 6890); SD-JWT VC, section 7.1.
 *
 * @module
 */
import { BlockList, isIP } from 'node:net'
import { configurationError } from './errors.js'

const INTERNAL: readonly (readonly [network: string, prefix: number, family: 'ipv4' | 'ipv6'])[] = [
  ['0.0.0.0', 8, 'ipv4'],
  ['10.0.0.0', 8, 'ipv4'],
  ['100.64.0.0', 10, 'ipv4'],
  ['127.0.0.0', 8, 'ipv4'],
  ['169.254.0.0', 16, 'ipv4'],
  ['172.16.0.0', 12, 'ipv4'],
  ['192.0.0.0', 24, 'ipv4'],
  ['192.0.2.0', 24, 'ipv4'],
  ['192.88.99.0', 24, 'ipv4'],
  ['192.168.0.0', 16, 'ipv4'],
  ['198.18.0.0', 15, 'ipv4'],
  ['198.51.100.0', 24, 'ipv4'],
  ['203.0.113.0', 24, 'ipv4'],
  ['224.0.0.0', 4, 'ipv4'],
  ['240.0.0.0', 4, 'ipv4'],
  // Of IPv6 only global unicast is public; from it, the ranges that lead elsewhere.
  ['::', 3, 'ipv6'],
  ['4000::', 2, 'ipv6'],
  ['8000::', 1, 'ipv6'],
  ['2001::', 23, 'ipv6'],
  ['2001:db8::', 32, 'ipv6'],
  ['2002::', 16, 'ipv6'],
  ['3fff::', 20, 'ipv6'],
]

// A list for each family: one list would judge an IPv4 address by the rule for `::ffff:0:0/96` as well.
function createInternalList(family: 'ipv4' | 'ipv6'): BlockList {
  const list = new BlockList()
  for (const [network, prefix, kind] of INTERNAL) {
    if (kind === family) list.addSubnet(network, prefix, kind)
  }
  return list
}

const internal = { ipv4: createInternalList('ipv4'), ipv6: createInternalList('ipv6') }

/**
 * Tells whether an IP address is internal: loopback, private, link-local, unique-local, multicast,
 * documentation, or an IPv6 range that embeds IPv4 (mapped, NAT64, 6to4, Teredo).
 *
 * @param address An IPv4 or IPv6 address in text; anything else counts as internal.
 */
export function isInternalAddress(address: string): boolean {
  const family = isIP(address)
  if (family === 0) return true
  return family === 4 ? internal.ipv4.check(address, 'ipv4') : internal.ipv6.check(address, 'ipv6')
}

/**
 * Makes a list of addresses and networks that a configuration names, for example proxies that are trusted.
 *
 * @param entries Each an address, or a network as `10.0.0.0/8`.
 * @returns Tells whether an address is on the list; an IPv4 address mapped into IPv6 counts as what it is.
 * @throws {TypeError} `address_malformed`: an entry is neither.
 */
export function createAddressList(entries: readonly string[]): (address: string | undefined) => boolean {
  const lists = { ipv4: new BlockList(), ipv6: new BlockList() }
  for (const entry of entries) {
    const [address = '', prefix, ...rest] = entry.split('/')
    const family = familyOf(address)
    const length = prefix === undefined ? undefined : Number(prefix)
    const most = family === 'ipv4' ? 32 : 128
    const fits = length === undefined || (/^\d{1,3}$/.test(prefix ?? '') && length <= most)
    if (family === undefined || !fits || rest.length > 0) {
      throw configurationError('address_malformed', 'Write an IP address, or a network as 10.0.0.0/8.')
    }
    if (length === undefined) lists[family].addAddress(address, family)
    else lists[family].addSubnet(address, length, family)
  }
  return (text) => {
    const address = text?.replace(/^::ffff:(?=\d+\.)/i, '') ?? ''
    const family = familyOf(address)
    return family !== undefined && lists[family].check(address, family)
  }
}

function familyOf(address: string): 'ipv4' | 'ipv6' | undefined {
  const family = isIP(address)
  if (family === 0) return undefined
  return family === 4 ? 'ipv4' : 'ipv6'
}
