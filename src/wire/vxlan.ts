/**
 * VXLAN, RFC 7348: an Ethernet frame in UDP. Flannel, Calico and Cilium carry pod traffic in it. VXLAN-GPE
 * (draft-ietf-nvo3-vxlan-gpe), on a port of its own, says in the fourth byte what is inside.
 *
 *       0           1          3      4     7          8
 *      +-----------+----------+------+-----+----------+----------------
 *      | flags     | reserved | next | VNI | reserved | Ethernet frame
 *      +-----------+----------+------+-----+----------+----------------
 */
import { type Decoder, type FrameClass, OTHER } from './decoder.ts'
import { ethernet } from './ethernet.ts'
import { ipv4 } from './ipv4.ts'
import { ipv6 } from './ipv6.ts'

const HEADER = 8
/** The only flag, always set. */
const HAS_VNI = 0x08

export function vxlan(decoder: Decoder, at: number, end: number, wireEnd: number): FrameClass {
  if (at + HEADER > end || (decoder.bytes[at] & HAS_VNI) === 0) return OTHER
  return ethernet(decoder, at + HEADER, end, wireEnd)
}

export function vxlanGpe(decoder: Decoder, at: number, end: number, wireEnd: number): FrameClass {
  if (at + HEADER > end || (decoder.bytes[at] & HAS_VNI) === 0) return OTHER
  switch (decoder.bytes[at + 3]) {
    case 1:
      return ipv4(decoder, at + HEADER, end, wireEnd)
    case 2:
      return ipv6(decoder, at + HEADER, end, wireEnd)
    case 3:
      return ethernet(decoder, at + HEADER, end, wireEnd)
    default:
      return OTHER
  }
}
