/**
 * MPLS, RFC 3032: labels, then a packet of which only its first four bits tell what it is (RFC 4928).
 *
 *      +-----------+---------+--------+-----+
 *      | label(20) | exp(3)  | S(1)   | ttl |   4 bytes each; S: the last one
 *      +-----------+---------+--------+-----+
 */
import { DEEPEST, type Decoder, type FrameClass, issue, OTHER, tooShort } from './decoder.ts'
import { ethernet } from './ethernet.ts'
import { ipv4 } from './ipv4.ts'
import { ipv6 } from './ipv6.ts'

const LABEL = 4
/** RFC 4385: four bytes that begin with a zero nibble, before an Ethernet frame. */
const CONTROL_WORD = 4

export function mpls(decoder: Decoder, at: number, end: number, wireEnd: number): FrameClass {
  const { bytes } = decoder
  let data = at
  do {
    if (data + LABEL >= end) return tooShort(decoder, 'link-header', end, wireEnd)
    if (++decoder.depth > DEEPEST) return issue(decoder, 'too-deep')
    data += LABEL
  } while ((bytes[data - 2] & 1) === 0)
  switch (bytes[data] >> 4) {
    case 4:
      return ipv4(decoder, data, end, wireEnd)
    case 6:
      return ipv6(decoder, data, end, wireEnd)
    case 0:
      return ethernet(decoder, data + CONTROL_WORD, end, wireEnd)
    default:
      return OTHER
  }
}
