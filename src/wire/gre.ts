/**
 * GRE, RFC 2784 and RFC 2890: what an EtherType names, in IP. ERSPAN (draft-foschiano-erspan) mirrors switch ports through it.
 *
 *       0            1         2           4
 *      +------------+---------+-----------+--------------+--------+-------------+------
 *      | C R K S ...| version | EtherType | checksum (C) | key(K) | sequence (S)| data     4 bytes each, if the flag is set
 *      +------------+---------+-----------+--------------+--------+-------------+------
 */
import { type Decoder, type FrameClass, OTHER, tooShort } from './decoder.ts'
import { ethernet, etherType } from './ethernet.ts'

const HEADER = 4
const CHECKSUM = 0x80
const ROUTING = 0x40
const KEY = 0x20
const SEQUENCE = 0x10

const ERSPAN = 0x88be
const ERSPAN_3 = 0x22eb

export function gre(decoder: Decoder, at: number, end: number, wireEnd: number): FrameClass {
  const { bytes } = decoder
  if (at + HEADER > end) return tooShort(decoder, 'gre-header', end, wireEnd)
  const flags = bytes[at]
  // Version 1 is PPTP's. Source routing (RFC 1701) died long ago.
  if ((bytes[at + 1] & 7) !== 0 || (flags & ROUTING) !== 0) return OTHER
  const type = (bytes[at + 2] << 8) | bytes[at + 3]
  let data = at + HEADER
  if ((flags & CHECKSUM) !== 0) data += 4
  if ((flags & KEY) !== 0) data += 4
  if ((flags & SEQUENCE) !== 0) data += 4
  if (type === ERSPAN) {
    // Type I has neither sequence number nor header, type II has both.
    if ((flags & SEQUENCE) !== 0) data += 8
    return ethernet(decoder, data, end, wireEnd)
  }
  if (type === ERSPAN_3) {
    if (data + 12 > end) return tooShort(decoder, 'gre-header', end, wireEnd)
    const subheader = (bytes[data + 11] & 1) !== 0 ? 8 : 0
    return ethernet(decoder, data + 12 + subheader, end, wireEnd)
  }
  if (data > end) return tooShort(decoder, 'gre-header', end, wireEnd)
  return etherType(decoder, type, data, end, wireEnd)
}
