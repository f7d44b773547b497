/**
 * BSD loopback: https://www.tcpdump.org/linktypes/LINKTYPE_NULL.html and LINKTYPE_LOOP.html.
 *
 *       0                4
 *      +----------------+------
 *      | address family | data     NULL: in the byte order of the machine that captured; LOOP: big-endian
 *      +----------------+------
 */
import { type Decoder, type FrameClass, OTHER, tooShort } from './decoder.ts'
import { ipv4 } from './ipv4.ts'
import { ipv6 } from './ipv6.ts'

const HEADER = 4
const AF_INET = 2
/** Linux, NetBSD and OpenBSD, FreeBSD, macOS. */
const AF_INET6 = [10, 24, 28, 30]

export function loopback(decoder: Decoder, at: number, end: number, wireEnd: number): FrameClass {
  if (at + HEADER > end) return tooShort(decoder, 'link-header', end, wireEnd)
  const { bytes } = decoder
  // One of the two outer bytes is zero, whichever the order.
  const family = bytes[at] | bytes[at + 3]
  if (family === AF_INET) return ipv4(decoder, at + HEADER, end, wireEnd)
  if (AF_INET6.includes(family)) return ipv6(decoder, at + HEADER, end, wireEnd)
  return OTHER
}
