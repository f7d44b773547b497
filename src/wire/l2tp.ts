/**
 * L2TP, RFC 2661: PPP in UDP.
 *
 *       0             2             4        6         8                      12
 *      +-------------+-------------+--------+---------+----------------------+-------------------+----------
 *      | flags, 2    | length (L)  | tunnel | session | Ns(2), Nr(2)  (S)    | offset(2), pad (O)| PPP frame
 *      +-------------+-------------+--------+---------+----------------------+-------------------+----------
 *      Length, sequence numbers and offset only where their flags are set.
 */
import { type Decoder, type FrameClass, OTHER } from './decoder.ts'
import { ppp } from './ppp.ts'

const CONTROL = 0x80
const HAS_LENGTH = 0x40
const HAS_SEQUENCE = 0x08
const HAS_OFFSET = 0x02

export function l2tp(decoder: Decoder, at: number, end: number, wireEnd: number): FrameClass {
  const { bytes } = decoder
  if (at + 6 > end) return OTHER
  const flags = bytes[at]
  if ((flags & CONTROL) !== 0 || (bytes[at + 1] & 15) !== 2) return OTHER
  let data = at + 6
  if ((flags & HAS_LENGTH) !== 0) data += 2
  if ((flags & HAS_SEQUENCE) !== 0) data += 4
  if ((flags & HAS_OFFSET) !== 0) {
    if (data + 2 > end) return OTHER
    data += 2 + ((bytes[data] << 8) | bytes[data + 1])
  }
  return data < end ? ppp(decoder, data, end, wireEnd) : OTHER
}
