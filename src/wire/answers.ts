/**
 * What a person wants to see of a message, read from its bytes outside of the hot path: the data of its answers as text (RFC 1035
 * 3.3 and 5.1, RFC 2782, RFC 3597) and the bytes of its question's name.
 */
import { A, AAAA, CNAME, MX, NS, PTR, SOA, SRV, TXT } from '../codes.ts'
import { HEADER } from './dns.ts'
import { newName, readName, skipName, WHOLE } from './name.ts'
import { textOfName } from './names.ts'
import { textOfV6 } from './tables.ts'

const DNAME = 39
const SPF = 99

/** The data of each record in the answer section that can be read. */
export function readAnswers(bytes: Buffer, start: number, end: number): string[] {
  const answers: string[] = []
  if (start + HEADER > end) return answers
  let position = start + HEADER
  for (let questions = wordAt(bytes, start + 4); questions > 0 && position >= 0; questions--) {
    position = skipName(bytes, position, end)
    if (position >= 0) position += 4
  }
  for (let records = wordAt(bytes, start + 6); records > 0 && position >= 0; records--) {
    position = skipName(bytes, position, end)
    if (position < 0 || position + 10 > end) break
    const rdata = position + 10
    const fence = rdata + wordAt(bytes, position + 8)
    if (fence > end) break
    const text = textOfData(bytes, start, wordAt(bytes, position), rdata, fence)
    answers.push(text ?? unknownData(bytes, rdata, fence))
    position = fence
  }
  return answers
}

/** The uncompressed name of the first question in hex, its final zero included; null where there is none to read. */
export function questionWire(bytes: Buffer, start: number, end: number): string | null {
  if (start + HEADER > end || wordAt(bytes, start + 4) === 0) return null
  const name = newName()
  if (readName(bytes, start, start + HEADER, end, name) !== WHOLE) return null
  return name.bytes.toString('hex', name.start, name.end)
}

/** null where the data contradict the type. */
function textOfData(bytes: Buffer, base: number, type: number, at: number, end: number): string | null {
  switch (type) {
    case A:
      return end - at === 4 ? `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}` : null
    case AAAA:
      return end - at === 16 ? textOfV6(bytes, at) : null
    case NS:
    case CNAME:
    case PTR:
    case DNAME:
      return nameAt(bytes, base, at, end)?.text ?? null
    case MX: {
      const exchange = at + 2 < end ? nameAt(bytes, base, at + 2, end) : null
      return exchange && `${wordAt(bytes, at)} ${exchange.text}`
    }
    case SRV: {
      const target = at + 6 < end ? nameAt(bytes, base, at + 6, end) : null
      return target && `${wordAt(bytes, at)} ${wordAt(bytes, at + 2)} ${wordAt(bytes, at + 4)} ${target.text}`
    }
    case SOA:
      return textOfSoa(bytes, base, at, end)
    case TXT:
    case SPF:
      return textOfStrings(bytes, at, end)
    default:
      return null
  }
}

function nameAt(bytes: Buffer, base: number, at: number, end: number): { text: string; next: number } | null {
  const name = newName()
  if (readName(bytes, base, at, end, name) !== WHOLE) return null
  return { text: textOfName(name.bytes, name.start, name.end) || '.', next: name.next }
}

function textOfSoa(bytes: Buffer, base: number, at: number, end: number): string | null {
  const server = nameAt(bytes, base, at, end)
  const mailbox = server && nameAt(bytes, base, server.next, end)
  if (!mailbox || mailbox.next + 20 > end) return null
  const numbers = [0, 4, 8, 12, 16].map(offset => bytes.readUInt32BE(mailbox.next + offset))
  return `${server.text} ${mailbox.text} ${numbers.join(' ')}`
}

/** Strings of a length byte and so many bytes, each in quotes. */
function textOfStrings(bytes: Buffer, at: number, end: number): string | null {
  const strings: string[] = []
  let position = at
  while (position < end) {
    const limit = position + 1 + bytes[position]
    if (limit > end) return null
    let text = ''
    for (let i = position + 1; i < limit; i++) text += escaped(bytes[i])
    strings.push(`"${text}"`)
    position = limit
  }
  return strings.join(' ')
}

function escaped(byte: number): string {
  if (byte === 0x22 || byte === 0x5c) return `\\${String.fromCharCode(byte)}`
  return byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\${String(byte).padStart(3, '0')}`
}

/** RFC 3597 5. */
const unknownData = (bytes: Buffer, at: number, end: number): string =>
  `\\# ${end - at} ${bytes.toString('hex', at, end)}`.trimEnd()

const wordAt = (bytes: Buffer, at: number): number => (bytes[at] << 8) | bytes[at + 1]
