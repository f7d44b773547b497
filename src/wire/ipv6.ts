/**
 * IPv6 and its extension headers, RFC 8200.
 *
 *       0                4                6             7           8        24            40
 *      +----------------+----------------+-------------+-----------+--------+-------------+-----
 *      | 6 | class, flow| payload length | next header | hop limit | source | destination | data
 *      +----------------+----------------+-------------+-----------+--------+-------------+-----
 *
 *       0             1            2                        4            8
 *      +-------------+------------+------------------------+------------+
 *      | next header | length/8-1 | hop-by-hop, routing, destination options ...
 *      | next header | 0          | offset, more fragments | identifier |   fragment header
 *      +-------------+------------+------------------------+------------+
 */
import { NONE } from '../model.ts'
import { DEEPEST, type Decoder, type FrameClass, issue, note, tooShort } from './decoder.ts'
import { fragment } from './fragments.ts'
import { transport } from './transport.ts'

const HEADER = 40
const EXTENSION = 8

const HOP_BY_HOP = 0
const ROUTING = 43
const FRAGMENT = 44
/** RFC 4302: its length counts words of four bytes, less two. */
const AUTHENTICATION = 51
const DESTINATION_OPTIONS = 60
const MOBILITY = 135

/** More extension headers than anybody sends. */
const MOST_EXTENSIONS = 16

export function ipv6(decoder: Decoder, at: number, end: number, wireEnd: number): FrameClass {
  const { bytes } = decoder
  if (at + HEADER > end) return tooShort(decoder, 'ip-header', end, wireEnd)
  if (bytes[at] >> 4 !== 6) return issue(decoder, 'ip-header')
  if (++decoder.depth > DEEPEST) return issue(decoder, 'too-deep')
  // 0: a jumbogram (RFC 2675), or a segment that the network card has yet to cut up.
  const payload = (bytes[at + 4] << 8) | bytes[at + 5]
  let packetEnd = wireEnd
  if (payload !== 0) {
    if (at + HEADER + payload > wireEnd) note(decoder, 'ip-length')
    else packetEnd = at + HEADER + payload
  }
  decoder.version = 6
  decoder.fromAt = at + 8
  decoder.toAt = at + 24
  decoder.ttl = bytes[at + 7]
  decoder.ipId = NONE
  decoder.size = packetEnd - at
  return behindHeader(decoder, bytes[at + 6], at + HEADER, packetEnd < end ? packetEnd : end, packetEnd)
}

/** Steps over the extension headers. */
function behindHeader(decoder: Decoder, first: number, start: number, end: number, wireEnd: number): FrameClass {
  const { bytes } = decoder
  let next = first
  let at = start
  for (let i = 0; i < MOST_EXTENSIONS; i++) {
    if (
      next !== HOP_BY_HOP &&
      next !== ROUTING &&
      next !== FRAGMENT &&
      next !== AUTHENTICATION &&
      next !== DESTINATION_OPTIONS &&
      next !== MOBILITY
    )
      return transport(decoder, next, at, end, wireEnd)
    if (at + EXTENSION > end) return tooShort(decoder, 'ip-header', end, wireEnd)
    const following = bytes[at]
    if (next === FRAGMENT) {
      const place = (bytes[at + 2] << 8) | bytes[at + 3]
      at += EXTENSION
      // RFC 6946: an "atomic" fragment is a whole datagram.
      if ((place & 0xfff9) !== 0)
        return fragment(decoder, following, idAt(bytes, at - 4), place & 0xfff8, (place & 1) !== 0, at, end, wireEnd)
    } else {
      at += next === AUTHENTICATION ? (bytes[at + 1] + 2) << 2 : (bytes[at + 1] + 1) << 3
    }
    if (at > end) return tooShort(decoder, 'ip-header', end, wireEnd)
    next = following
  }
  return issue(decoder, 'ip-header')
}

const idAt = (bytes: Buffer, at: number): number =>
  ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0
