/**
 * VXLAN, RFC 7348: an Ethernet frame in UDP. Flannel, Calico and Cilium carry pod traffic in it.
 *
 *       0           1          4     7          8
 *      +-----------+----------+-----+----------+----------------
 *      | flags     | reserved | VNI | reserved | Ethernet frame
 *      +-----------+----------+-----+----------+----------------
 */
import { type Decoder, type FrameClass, OTHER } from './decoder.ts'
import { ethernet } from './ethernet.ts'

const HEADER = 8
/** The only flag, always set. */
const HAS_VNI = 0x08

export function vxlan(decoder: Decoder, at: number, end: number, wireEnd: number): FrameClass {
  if (at + HEADER > end || (decoder.bytes[at] & HAS_VNI) === 0) return OTHER
  return ethernet(decoder, at + HEADER, end, wireEnd)
}
