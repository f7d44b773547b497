/** What follows an IP header: https://www.iana.org/assignments/protocol-numbers */
import { type Decoder, type FrameClass, OTHER } from './decoder.ts'
import { gre } from './gre.ts'
import { icmp, icmpv6 } from './icmp.ts'
import { ipv4 } from './ipv4.ts'
import { ipv6 } from './ipv6.ts'
import { tcp } from './tcp.ts'
import { udp } from './udp.ts'

export const ICMP = 1
export const IPV4_IN_IP = 4
export const TCP_PROTOCOL = 6
export const UDP_PROTOCOL = 17
export const IPV6_IN_IP = 41
export const GRE = 47
export const ICMPV6 = 58

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
    default:
      return OTHER
  }
}
