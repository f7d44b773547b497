/**
 * Packets from iptables' NFLOG target: https://www.tcpdump.org/linktypes/LINKTYPE_NFLOG.html. Lengths and types are in the byte order
 * of the machine that captured, which the record does not tell; all of today's are little-endian.
 *
 *       0                1         2          4        +0       +2      +4
 *      +----------------+---------+----------+--------+--------+------+--------
 *      | address family | version | resource | TLVs:  | length | type | value, padded to 4 bytes
 *      +----------------+---------+----------+--------+--------+------+--------
 */
import { type Decoder, type FrameClass, issue, OTHER, tooShort } from './decoder.ts'
import { rawIp } from './raw.ts'

const HEADER = 4
const TLV = 4
const PAYLOAD = 9

export function nflog(decoder: Decoder, at: number, end: number, wireEnd: number): FrameClass {
  const { bytes } = decoder
  if (at + HEADER + TLV > end) return tooShort(decoder, 'link-header', end, wireEnd)
  // AF_INET and AF_INET6.
  if (bytes[at] !== 2 && bytes[at] !== 10) return OTHER
  let position = at + HEADER
  while (position + TLV <= end) {
    const length = bytes[position] | (bytes[position + 1] << 8)
    const type = bytes[position + 2] | (bytes[position + 3] << 8)
    if (length < TLV) return issue(decoder, 'link-header')
    if (type === PAYLOAD) {
      const dataWireEnd = Math.min(wireEnd, position + length)
      return rawIp(decoder, position + TLV, Math.min(end, dataWireEnd), dataWireEnd)
    }
    position += (length + 3) & ~3
  }
  return OTHER
}
