/**
 * The variants of the classic capture file. Most have a magic of their own. Some took the usual one and put more fields behind the
 * header of each record, so only the records tell which they are. Facts from Wireshark's wiretap/libpcap.c and libpcap.h.
 *
 *     record         | seconds 4 | micros or nanos 4 | captured length 4 | length on the wire 4 | more | bytes ... |
 *     more, Linux    | interface 4 | EtherType 2 | packet type 1 | padding 1, or 5 in SuSE 6.3 |   Alexey Kuznetsov's patches of 1999
 *     more, Nokia    | 4 |
 */
import { u16, u32 } from './parser.ts'

export const MICROS = 0xa1b2c3d4
export const NANOS = 0xa1b23c4d
export const MODIFIED = 0xa1b2cd34
/** Ixia's "lcap" has the length of all records behind the file's header. */
const IXIA_HARDWARE = 0x1c0001ac
const IXIA_SOFTWARE = 0x1c0001ab

const FILE_HEADER = 24
const RECORD_HEADER = 16

const MONTH = 30 * 86_400

/** Lengths beyond these are no packet's. */
const LARGEST_CAPTURED = 262_144
const LARGEST_WIRE = 128 * 1024 * 1024

/** How well the bytes of a record's header fit a variant. */
const NOT = 0
const PERHAPS = 1
const SURELY = 2
type Fit = typeof NOT | typeof PERHAPS | typeof SURELY

export interface Variant {
  name: string
  recordHeader: number
  /** Whether what stands behind the usual 16 bytes, at `at`, is this variant's more. */
  fitOf: (bytes: Buffer, at: number, little: boolean) => Fit
}

const USUAL: Variant = { name: 'pcap', recordHeader: RECORD_HEADER, fitOf: () => PERHAPS }
const RED_HAT: Variant = { name: 'pcap (Red Hat 6.1)', recordHeader: 24, fitOf: fitOfLinux }
const NOKIA: Variant = { name: 'pcap (Nokia)', recordHeader: 20, fitOf: fitOfNokia }
const PATCHED: Variant = { name: 'pcap (modified)', recordHeader: 24, fitOf: fitOfLinux }
const SUSE: Variant = { name: 'pcap (SuSE 6.3)', recordHeader: 28, fitOf: fitOfLinux }
const IXIA: Variant = { name: 'pcap (Ixia)', recordHeader: RECORD_HEADER, fitOf: () => PERHAPS }

export interface Magic {
  nanosPerUnit: number
  fileHeader: number
  /** The likeliest first. */
  variants: readonly Variant[]
}

export const MAGICS: ReadonlyMap<number, Magic> = new Map<number, Magic>([
  [MICROS, { nanosPerUnit: 1000, fileHeader: FILE_HEADER, variants: [USUAL, RED_HAT, NOKIA] }],
  [NANOS, { nanosPerUnit: 1, fileHeader: FILE_HEADER, variants: [USUAL] }],
  [MODIFIED, { nanosPerUnit: 1000, fileHeader: FILE_HEADER, variants: [PATCHED, SUSE] }],
  [IXIA_HARDWARE, { nanosPerUnit: 1, fileHeader: FILE_HEADER + 4, variants: [IXIA] }],
  [IXIA_SOFTWARE, { nanosPerUnit: 1000, fileHeader: FILE_HEADER + 4, variants: [IXIA] }],
])

/** AIX writes version 2.2, nanoseconds, and interface types of RFC 1573 for link types: Ethernet, token ring, FDDI, loopback. */
export const AIX_LINK_TYPES: ReadonlyMap<number, number> = new Map([
  [6, 1],
  [9, 6],
  [15, 10],
  [24, 0],
])

/**
 * Which variant the records are that begin at `at`: the one with which the second record makes sense. Null: more bytes are needed to
 * tell, and `last` says that none will come. The usual variant waits for the second record only where the first looks like another.
 */
export function variantOf(
  { variants }: Magic,
  bytes: Buffer,
  at: number,
  end: number,
  little: boolean,
  last: boolean,
): Variant | null {
  const [likeliest, ...others] = variants
  if (others.length === 0) return likeliest
  if (at + 28 > end) return last ? likeliest : null
  const more = at + RECORD_HEADER
  const sure = others.find(({ fitOf }) => fitOf(bytes, more, little) === SURELY)
  if (sure) return sure
  if (!others.some(({ fitOf }) => fitOf(bytes, more, little) === PERHAPS)) return likeliest
  for (const variant of variants) {
    if (variant.fitOf(bytes, more, little) === NOT) continue
    const verdict = leadsOn(variant, bytes, at, end, little, last)
    if (verdict === null) return null
    if (verdict) return variant
  }
  return likeliest
}

/** Whether the record at `at` ends where another one begins, or the file ends; null where the bytes do not reach so far. */
function leadsOn(
  { recordHeader, fitOf }: Variant,
  bytes: Buffer,
  at: number,
  end: number,
  little: boolean,
  last: boolean,
): boolean | null {
  const captured = u32(bytes, at + 8, little)
  if (captured > LARGEST_CAPTURED) return false
  const next = at + recordHeader + captured
  if (next + recordHeader > end) return last ? endsWell(bytes, at, next, end, little) : null
  if (isFileHeader(bytes, next)) return true
  const nextCaptured = u32(bytes, next + 8, little)
  const nextWire = u32(bytes, next + 12, little)
  return (
    u32(bytes, next + 4, little) < 1e6 &&
    nextCaptured <= LARGEST_CAPTURED &&
    nextCaptured <= nextWire &&
    nextWire <= LARGEST_WIRE &&
    fitOf(bytes, next + RECORD_HEADER, little) !== NOT
  )
}

/** Whether nothing stands at `next`, or the beginning of a header that was cut: a time near the first one's. */
function endsWell(bytes: Buffer, at: number, next: number, end: number, little: boolean): boolean {
  const rest = end - next
  if (rest < 4) return rest >= 0
  if (Math.abs(u32(bytes, next, little) - u32(bytes, at, little)) > MONTH) return false
  return rest < 8 || u32(bytes, next + 4, little) < 1e6
}

/** In 1999 no machine had more interfaces than this, and Linux five packet types. */
function fitOfLinux(bytes: Buffer, at: number, little: boolean): Fit {
  const type = u16(bytes, at + 4, little)
  const isType = type >= 0x600 || type <= 0x17 || type === 0x60 || type === 0x200 || type === 0x400
  return u32(bytes, at, little) <= 10_000 && isType && bytes[at + 6] <= 4 ? PERHAPS : NOT
}

/**
 * Nobody knows what the field means, only which values were seen: Xfbf YZ0W with X 9 or b, Y b or d, Z 6 or 9, W 1 or 2; and 0, which
 * editcap writes.
 */
function fitOfNokia(bytes: Buffer, at: number, little: boolean): Fit {
  const word = u32(bytes, at, little)
  if (word === 0) return PERHAPS
  const constant = (word & 0x0fff_00f0) >>> 0 === 0x0fbf_0000
  const [x, y, z, w] = [word >>> 28, (word >>> 12) & 15, (word >>> 8) & 15, word & 15]
  const seen = (x === 9 || x === 11) && (y === 11 || y === 13) && (z === 6 || z === 9) && (w === 1 || w === 2)
  return constant && seen ? SURELY : NOT
}

/** A magic and version 2.4 in the same byte order. */
export function isFileHeader(bytes: Buffer, at: number): boolean {
  const little = MAGICS.has(u32(bytes, at, true))
  return (
    (little || MAGICS.has(u32(bytes, at, false))) &&
    u16(bytes, at + 4, little) === 2 &&
    u16(bytes, at + 6, little) === 4
  )
}
