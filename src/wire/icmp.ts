/**
 * ICMP and ICMPv6 "destination unreachable", RFC 792 and RFC 4443 3.1. It quotes the beginning of the packet that did not arrive:
 * with a DNS query in there, it is the query's answer by the network.
 *
 *       0      1      2          4        8
 *      +------+------+----------+--------+-----------------------------
 *      | type | code | checksum | unused | IP header and data, quoted
 *      +------+------+----------+--------+-----------------------------
 */
import { TCP, UDP, UNREACHABLE } from '../model.ts'
import { type Decoder, DNS, type FrameClass, internAddresses, issue, OTHER, vantageOf } from './decoder.ts'
import { HEADER as DNS_HEADER, makeBareRow } from './dns.ts'
import { newName, readName, WHOLE } from './name.ts'
import { DOMAIN } from './ports.ts'
import { TCP_PROTOCOL, UDP_PROTOCOL } from './transport.ts'

const HEADER = 8
const UNREACHABLE_4 = 3
/** Path MTU discovery: the packet was too large, nobody was away. */
const FRAGMENTATION_NEEDED = 4
const UNREACHABLE_6 = 1

const name = newName()

export function icmp(decoder: Decoder, at: number, end: number, _wireEnd: number): FrameClass {
  const { bytes } = decoder
  if (at + HEADER + 20 > end || bytes[at] !== UNREACHABLE_4 || bytes[at + 1] === FRAGMENTATION_NEEDED) return OTHER
  const quoted = at + HEADER
  const isFragment = (((bytes[quoted + 6] & 0x1f) << 8) | bytes[quoted + 7]) !== 0
  if (bytes[quoted] >> 4 !== 4 || isFragment) return OTHER
  return quote(decoder, 4, quoted + 12, bytes[quoted + 9], quoted + ((bytes[quoted] & 15) << 2), end)
}

export function icmpv6(decoder: Decoder, at: number, end: number, _wireEnd: number): FrameClass {
  const { bytes } = decoder
  if (at + HEADER + 40 > end || bytes[at] !== UNREACHABLE_6 || bytes[at + HEADER] >> 4 !== 6) return OTHER
  const quoted = at + HEADER
  return quote(decoder, 6, quoted + 8, bytes[quoted + 6], quoted + 40, end)
}

/** The transport that is quoted at `at`; its packet's addresses stand at `addresses`. */
function quote(
  decoder: Decoder,
  version: number,
  addresses: number,
  protocol: number,
  at: number,
  end: number,
): FrameClass {
  const { bytes, servers } = decoder
  if ((protocol !== UDP_PROTOCOL && protocol !== TCP_PROTOCOL) || at + 4 > end) return OTHER
  const fromPort = (bytes[at] << 8) | bytes[at + 1]
  const toPort = (bytes[at + 2] << 8) | bytes[at + 3]
  if (fromPort !== DOMAIN && toPort !== DOMAIN && servers.ports[fromPort] + servers.ports[toPort] === 0) return OTHER
  decoder.version = version
  decoder.fromAt = addresses
  decoder.toAt = addresses + (version === 4 ? 4 : 16)
  if (!internAddresses(decoder)) return issue(decoder, 'addresses-limit')
  if (
    fromPort !== DOMAIN &&
    toPort !== DOMAIN &&
    !servers.has(decoder.from, fromPort) &&
    !servers.has(decoder.to, toPort)
  )
    return OTHER
  decoder.fromPort = fromPort
  decoder.toPort = toPort
  decoder.vantage = vantageOf(decoder)
  appendUnreachable(decoder, protocol, at + 8, end)
  return DNS
}

function appendUnreachable(decoder: Decoder, protocol: number, at: number, end: number): void {
  const { bytes, messages: m } = decoder
  const row = makeBareRow(decoder, UNREACHABLE, protocol === UDP_PROTOCOL ? UDP : TCP)
  if (protocol === UDP_PROTOCOL && at + DNS_HEADER <= end) {
    m.dnsId[row] = (bytes[at] << 8) | bytes[at + 1]
    m.flags[row] = (bytes[at + 2] << 8) | bytes[at + 3]
    m.qdcount[row] = (bytes[at + 4] << 8) | bytes[at + 5]
    // A name that the quotation cuts is none: nobody could tell it from a whole one by this row's other columns.
    if (m.qdcount[row] > 0 && readName(bytes, at, at + DNS_HEADER, end, name) === WHOLE) {
      m.qname[row] = decoder.tables.names.internWire(name.bytes, name.start, name.end)
      const position = name.next
      if (position + 4 <= end) {
        m.qtype[row] = (bytes[position] << 8) | bytes[position + 1]
        m.qclass[row] = (bytes[position + 2] << 8) | bytes[position + 3]
      }
    }
  }
}
