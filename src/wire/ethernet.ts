/**
 * Ethernet (IEEE 802.3), VLAN tags (802.1Q, 802.1ad), and what an EtherType means wherever one stands.
 *
 *       0             6        12          14                  0     2
 *      +-------------+--------+-----------+------             +-----+-----------+------
 *      | destination | source | EtherType | data        tag:  | TCI | EtherType | data
 *      +-------------+--------+-----------+------             +-----+-----------+------
 */
import { DEEPEST, type Decoder, type FrameClass, issue, OTHER, setLinkSource, tooShort } from './decoder.ts'
import { ipv4 } from './ipv4.ts'
import { ipv6 } from './ipv6.ts'
import { mpls } from './mpls.ts'
import { pppoe } from './ppp.ts'

const HEADER = 14
const TAG = 4

const IPV4 = 0x0800
const IPV6 = 0x86dd
const VLAN = 0x8100
const PROVIDER_VLAN = 0x88a8
/** Before 802.1ad there was this. */
const OLD_PROVIDER_VLAN = 0x9100
const MPLS = 0x8847
const MPLS_MULTICAST = 0x8848
const PPPOE_SESSION = 0x8864
/** Provider backbone bridges (802.1ah): four bytes, then an Ethernet frame. */
const BACKBONE = 0x88e7
const BACKBONE_TAG = 4
/** High-availability seamless redundancy (IEC 62439-3): four bytes, then an EtherType. */
const REDUNDANCY = 0x892f
const REDUNDANCY_TAG = 6
/** Transparent Ethernet bridging: Ethernet in GRE and Geneve. */
const ETHERNET = 0x6558

/** A number up to here is not a type but the length of an 802.2 frame. */
const LONGEST_LENGTH = 1500
/** LLC with SNAP (RFC 1042): aa aa 03, an organization of zeros, then an EtherType. */
const SNAP = 8

export function ethernet(decoder: Decoder, at: number, end: number, wireEnd: number): FrameClass {
  if (at + HEADER > end) return tooShort(decoder, 'link-header', end, wireEnd)
  if (++decoder.depth > DEEPEST) return issue(decoder, 'too-deep')
  const { bytes } = decoder
  setLinkSource(decoder, at + 6)
  return etherType(decoder, (bytes[at + 12] << 8) | bytes[at + 13], at + HEADER, end, wireEnd)
}

/** Reads what stands behind an EtherType. */
export function etherType(decoder: Decoder, type: number, at: number, end: number, wireEnd: number): FrameClass {
  if (type === IPV4) return ipv4(decoder, at, end, wireEnd)
  if (type === IPV6) return ipv6(decoder, at, end, wireEnd)
  switch (type) {
    case VLAN:
    case PROVIDER_VLAN:
    case OLD_PROVIDER_VLAN:
      return tag(decoder, TAG, at, end, wireEnd)
    case REDUNDANCY:
      return tag(decoder, REDUNDANCY_TAG, at, end, wireEnd)
    case BACKBONE:
      return ethernet(decoder, at + BACKBONE_TAG, end, wireEnd)
    case MPLS:
    case MPLS_MULTICAST:
      return mpls(decoder, at, end, wireEnd)
    case PPPOE_SESSION:
      return pppoe(decoder, at, end, wireEnd)
    case ETHERNET:
      return ethernet(decoder, at, end, wireEnd)
    default:
      return type <= LONGEST_LENGTH ? llc(decoder, at, end, wireEnd) : OTHER
  }
}

/** A tag of `length` bytes, the last two of which are an EtherType. */
function tag(decoder: Decoder, length: number, at: number, end: number, wireEnd: number): FrameClass {
  if (at + length > end) return tooShort(decoder, 'link-header', end, wireEnd)
  if (++decoder.depth > DEEPEST) return issue(decoder, 'too-deep')
  const { bytes } = decoder
  const data = at + length
  return etherType(decoder, (bytes[data - 2] << 8) | bytes[data - 1], data, end, wireEnd)
}

function llc(decoder: Decoder, at: number, end: number, wireEnd: number): FrameClass {
  const { bytes } = decoder
  if (at + SNAP > end || bytes[at] !== 0xaa || bytes[at + 1] !== 0xaa || bytes[at + 2] !== 3) return OTHER
  const type = (bytes[at + 6] << 8) | bytes[at + 7]
  return type > LONGEST_LENGTH ? etherType(decoder, type, at + SNAP, end, wireEnd) : OTHER
}
