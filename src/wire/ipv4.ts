/**
 * IPv4, RFC 791.
 *
 *       0          1    2              4    6                 8     9          10         12       16            20
 *      +----------+----+--------------+----+-----------------+-----+----------+----------+--------+-------------+--------
 *      | 4 | words|    | total length | id | flags, offset/8 | ttl | protocol | checksum | source | destination | options
 *      +----------+----+--------------+----+-----------------+-----+----------+----------+--------+-------------+--------
 */
import { DEEPEST, type Decoder, type FrameClass, issue, note, tooShort } from './decoder.ts'
import { fragment } from './fragments.ts'
import { transport } from './transport.ts'

const HEADER = 20
const MORE_FRAGMENTS = 0x2000
const OFFSET = 0x1fff

export function ipv4(decoder: Decoder, at: number, end: number, wireEnd: number): FrameClass {
  const { bytes } = decoder
  if (at + HEADER > end) return tooShort(decoder, 'ip-header', end, wireEnd)
  const data = at + ((bytes[at] & 15) << 2)
  if (bytes[at] >> 4 !== 4 || data < at + HEADER) return issue(decoder, 'ip-header')
  if (data > end) return tooShort(decoder, 'ip-header', end, wireEnd)
  if (++decoder.depth > DEEPEST) return issue(decoder, 'too-deep')
  // 0: a segment that the network card has yet to cut up. Whatever is behind the total length is padding of the link layer.
  const total = (bytes[at + 2] << 8) | bytes[at + 3]
  let packetEnd = wireEnd
  if (total !== 0) {
    if (at + total < data) return issue(decoder, 'ip-length')
    if (at + total > wireEnd) note(decoder, 'ip-length')
    else packetEnd = at + total
  }
  decoder.version = 4
  decoder.fromAt = at + 12
  decoder.toAt = at + 16
  decoder.ttl = bytes[at + 8]
  decoder.ipId = (bytes[at + 4] << 8) | bytes[at + 5]
  decoder.size = packetEnd - at
  const dataEnd = packetEnd < end ? packetEnd : end
  const place = (bytes[at + 6] << 8) | bytes[at + 7]
  if ((place & (MORE_FRAGMENTS | OFFSET)) !== 0) {
    const more = (place & MORE_FRAGMENTS) !== 0
    return fragment(decoder, bytes[at + 9], decoder.ipId, (place & OFFSET) << 3, more, data, dataEnd, packetEnd)
  }
  return transport(decoder, bytes[at + 9], data, dataEnd, packetEnd)
}
