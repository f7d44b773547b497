/**
 * macOS "pktap": a header of Apple around a packet of any link type. https://www.tcpdump.org/linktypes/LINKTYPE_PKTAP.html; libpcap
 * before the number was assigned wrote it as USER2. Little-endian.
 *
 *       0               4      8           12
 *      +---------------+------+-----------+------ ... -+------
 *      | header length | type | link type | interface  | packet
 *      +---------------+------+-----------+------ ... -+------
 */
import { DEEPEST, type Decoder, type FrameClass, issue, OTHER, tooShort } from './decoder.ts'
import { LINKS } from './links.ts'

const HEADER = 12

export function pktap(decoder: Decoder, at: number, end: number, wireEnd: number): FrameClass {
  const { bytes } = decoder
  if (at + HEADER > end) return tooShort(decoder, 'link-header', end, wireEnd)
  if (++decoder.depth > DEEPEST) return issue(decoder, 'too-deep')
  const data = at + bytes.readUInt32LE(at)
  const link = LINKS.get(bytes.readUInt32LE(at + 8))
  if (data < at + HEADER || data > end) return tooShort(decoder, 'link-header', end, wireEnd)
  return link ? link(decoder, data, end, wireEnd) : OTHER
}
