/**
 * PPP, RFC 1661 and 1662, on a serial line and over Ethernet (PPPoE, RFC 2516).
 *
 *       0               2               0                1      2         4        6
 *      +---------------+----------+    +----------------+------+---------+--------+----------+------
 *      | ff 03, or not | protocol |    | version, type  | code | session | length | protocol | data
 *      +---------------+----------+    +----------------+------+---------+--------+----------+------
 *      The protocol is one byte where that is odd (RFC 1661 6.5), else two.
 */
import { type Decoder, type FrameClass, OTHER, tooShort } from './decoder.ts'
import { ipv4 } from './ipv4.ts'
import { ipv6 } from './ipv6.ts'
import { mpls } from './mpls.ts'

const PPPOE_HEADER = 6

const IPV4 = 0x0021
const IPV6 = 0x0057
const MPLS = 0x0281

export function ppp(decoder: Decoder, at: number, end: number, wireEnd: number): FrameClass {
  const { bytes } = decoder
  if (at + 4 > end) return tooShort(decoder, 'link-header', end, wireEnd)
  let position = bytes[at] === 0xff && bytes[at + 1] === 3 ? at + 2 : at
  let protocol = bytes[position++]
  if ((protocol & 1) === 0) protocol = (protocol << 8) | bytes[position++]
  if (protocol === IPV4) return ipv4(decoder, position, end, wireEnd)
  if (protocol === IPV6) return ipv6(decoder, position, end, wireEnd)
  if (protocol === MPLS) return mpls(decoder, position, end, wireEnd)
  return OTHER
}

export function pppoe(decoder: Decoder, at: number, end: number, wireEnd: number): FrameClass {
  if (at + PPPOE_HEADER > end) return tooShort(decoder, 'link-header', end, wireEnd)
  return ppp(decoder, at + PPPOE_HEADER, end, wireEnd)
}
