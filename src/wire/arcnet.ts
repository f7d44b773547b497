/**
 * ARCNET as Linux captures it: https://www.tcpdump.org/linktypes/LINKTYPE_ARCNET_LINUX.html, RFC 1051 and RFC 1201. Nobody runs
 * Kubernetes on it; it is here because two public test captures with DNS are.
 *
 *       0        1             2        4      5            8
 *      +--------+-------------+--------+------+------------+------
 *      | source | destination | offset | type | split flag, sequence (RFC 1201 only) | data
 *      +--------+-------------+--------+------+------------+------
 */
import { type Decoder, type FrameClass, OTHER, tooShort } from './decoder.ts'
import { ipv4 } from './ipv4.ts'

const IP_RFC1051 = 240
const IP_RFC1201 = 212

export function arcnet(decoder: Decoder, at: number, end: number, wireEnd: number): FrameClass {
  if (at + 8 > end) return tooShort(decoder, 'link-header', end, wireEnd)
  const type = decoder.bytes[at + 4]
  if (type === IP_RFC1051) return ipv4(decoder, at + 5, end, wireEnd)
  // A split packet (flag not 0) would have to be put together; IP's own fragments do that.
  if (type === IP_RFC1201 && decoder.bytes[at + 5] === 0) return ipv4(decoder, at + 8, end, wireEnd)
  return OTHER
}
