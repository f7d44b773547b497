/** IP without a link layer, or behind one that says nothing about the version: https://www.tcpdump.org/linktypes.html (RAW, IPV4, IPV6). */
import { type Decoder, type FrameClass, OTHER, tooShort } from './decoder.ts'
import { ipv4 } from './ipv4.ts'
import { ipv6 } from './ipv6.ts'

export function rawIp(decoder: Decoder, at: number, end: number, wireEnd: number): FrameClass {
  if (at >= end) return tooShort(decoder, 'link-header', end, wireEnd)
  const version = decoder.bytes[at] >> 4
  if (version === 4) return ipv4(decoder, at, end, wireEnd)
  if (version === 6) return ipv6(decoder, at, end, wireEnd)
  return OTHER
}
