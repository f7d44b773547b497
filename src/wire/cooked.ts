/**
 * What Linux puts in place of link-layer headers when it captures on "any":
 * https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL.html and LINKTYPE_LINUX_SLL2.html. They tell the direction, version 2 also
 * the interface.
 *
 *       0             2         4                6         14          16
 *      +-------------+---------+----------------+---------+-----------+------
 *  1   | packet type | ARPHRD  | address length | address | EtherType | data
 *      +-------------+---------+----------------+---------+-----------+------
 *
 *       0           2          4           8        10            11               12        20
 *      +-----------+----------+-----------+--------+-------------+----------------+---------+------
 *  2   | EtherType | reserved | interface | ARPHRD | packet type | address length | address | data
 *      +-----------+----------+-----------+--------+-------------+----------------+---------+------
 */
import { INCOMING, OTHER_HOST, OUTGOING } from '../model.ts'
import { type Decoder, type FrameClass, setLinkSource, tooShort } from './decoder.ts'
import { etherType } from './ethernet.ts'

const HEADER_1 = 16
const HEADER_2 = 20

export function linuxCooked(decoder: Decoder, at: number, end: number, wireEnd: number): FrameClass {
  if (at + HEADER_1 > end) return tooShort(decoder, 'link-header', end, wireEnd)
  const { bytes } = decoder
  decoder.direction = directionOf(bytes[at + 1])
  if (bytes[at + 5] === 6) setLinkSource(decoder, at + 6)
  return etherType(decoder, (bytes[at + 14] << 8) | bytes[at + 15], at + HEADER_1, end, wireEnd)
}

export function linuxCooked2(decoder: Decoder, at: number, end: number, wireEnd: number): FrameClass {
  if (at + HEADER_2 > end) return tooShort(decoder, 'link-header', end, wireEnd)
  const { bytes } = decoder
  decoder.direction = directionOf(bytes[at + 10])
  if (bytes[at + 11] === 6) setLinkSource(decoder, at + 12)
  decoder.interfaceIndex = ((bytes[at + 4] << 24) | (bytes[at + 5] << 16) | (bytes[at + 6] << 8) | bytes[at + 7]) >>> 0
  decoder.interfaceName = null
  return etherType(decoder, (bytes[at] << 8) | bytes[at + 1], at + HEADER_2, end, wireEnd)
}

/** Packet types: 0 to us, 1 broadcast, 2 multicast, 3 to another host, 4 from us. */
function directionOf(packetType: number): number {
  return packetType === 4 ? OUTGOING : packetType === 3 ? OTHER_HOST : INCOMING
}
