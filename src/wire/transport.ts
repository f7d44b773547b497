/** What follows an IP header: https://www.iana.org/assignments/protocol-numbers */
import { DEEPEST, type Decoder, type FrameClass, issue, OTHER, tooShort } from './decoder.ts'
import { ethernet } from './ethernet.ts'
import { gre } from './gre.ts'
import { icmp, icmpv6 } from './icmp.ts'
import { ipv4 } from './ipv4.ts'
import { ipv6 } from './ipv6.ts'
import { tcp } from './tcp.ts'
import { udp } from './udp.ts'

const ICMP = 1
export const IPV4_IN_IP = 4
export const TCP_PROTOCOL = 6
export const UDP_PROTOCOL = 17
export const IPV6_IN_IP = 41
export const GRE = 47
/** RFC 4302: its length counts words of four bytes, less two. */
const AUTHENTICATION = 51
const ICMPV6 = 58
/** RFC 3378: two bytes, then an Ethernet frame. */
const ETHERNET_IN_IP = 97

/** Reads the payload of an IP packet. Commonest first: this is the hot path. */
export function transport(decoder: Decoder, protocol: number, at: number, end: number, wireEnd: number): FrameClass {
  if (protocol === UDP_PROTOCOL) return udp(decoder, at, end, wireEnd)
  if (protocol === TCP_PROTOCOL) return tcp(decoder, at, end, wireEnd)
  switch (protocol) {
    case ICMP:
      return icmp(decoder, at, end, wireEnd)
    case ICMPV6:
      return icmpv6(decoder, at, end, wireEnd)
    case IPV4_IN_IP:
      return ipv4(decoder, at, end, wireEnd)
    case IPV6_IN_IP:
      return ipv6(decoder, at, end, wireEnd)
    case GRE:
      return gre(decoder, at, end, wireEnd)
    case AUTHENTICATION:
      return authentication(decoder, at, end, wireEnd)
    case ETHERNET_IN_IP:
      return ethernet(decoder, at + 2, end, wireEnd)
    default:
      return OTHER
  }
}

function authentication(decoder: Decoder, at: number, end: number, wireEnd: number): FrameClass {
  const { bytes } = decoder
  if (at + 2 > end) return tooShort(decoder, 'ip-header', end, wireEnd)
  if (++decoder.depth > DEEPEST) return issue(decoder, 'too-deep')
  const data = at + ((bytes[at + 1] + 2) << 2)
  return data > end ? tooShort(decoder, 'ip-header', end, wireEnd) : transport(decoder, bytes[at], data, end, wireEnd)
}
