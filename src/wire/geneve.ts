/**
 * Geneve, RFC 8926: what an EtherType names, in UDP. OVN (OpenShift), Antrea and Cilium carry pod traffic in it.
 *
 *       0                      1       2           4     7          8
 *      +----------------------+-------+-----------+-----+----------+---------+------
 *      | version, options/4   | flags | EtherType | VNI | reserved | options | data
 *      +----------------------+-------+-----------+-----+----------+---------+------
 */
import { type Decoder, type FrameClass, OTHER } from './decoder.ts'
import { etherType } from './ethernet.ts'

const HEADER = 8

export function geneve(decoder: Decoder, at: number, end: number, wireEnd: number): FrameClass {
  const { bytes } = decoder
  if (at + HEADER > end || bytes[at] >> 6 !== 0) return OTHER
  const data = at + HEADER + ((bytes[at] & 63) << 2)
  if (data > end) return OTHER
  return etherType(decoder, (bytes[at + 2] << 8) | bytes[at + 3], data, end, wireEnd)
}
