/**
 * GTP-U, 3GPP TS 29.281 5: the IP packets of mobile phones, in UDP.
 *
 *       0                    1      2        4          8          10            11
 *      +--------------------+------+--------+----------+----------+-------------+----------------+------
 *      | version, flags EPN | type | length | endpoint | sequence | N-PDU number| next extension | data
 *      +--------------------+------+--------+----------+----------+-------------+----------------+------
 *      From the sequence on only where one of the flags is set. Extension: length/4, content, next extension.
 */
import { type Decoder, type FrameClass, OTHER } from './decoder.ts'
import { rawIp } from './raw.ts'

const HEADER = 8
const USER_DATA = 255
const MOST_EXTENSIONS = 8

export function gtp(decoder: Decoder, at: number, end: number, wireEnd: number): FrameClass {
  const { bytes } = decoder
  if (at + HEADER > end || bytes[at] >> 4 !== 3 || bytes[at + 1] !== USER_DATA) return OTHER
  let data = at + HEADER
  if ((bytes[at] & 7) !== 0) {
    data += 4
    let next = (bytes[at] & 4) === 0 ? 0 : bytes[data - 1]
    for (let i = 0; next !== 0 && i < MOST_EXTENSIONS; i++) {
      if (data >= end || bytes[data] === 0) return OTHER
      data += bytes[data] << 2
      next = bytes[data - 1]
    }
  }
  return data < end ? rawIp(decoder, data, end, wireEnd) : OTHER
}
