/**
 * DNS messages, RFC 1035 4.1 and RFC 6891 (EDNS).
 *
 *       0       2       4         6         8         10        12
 *      +-------+-------+---------+---------+---------+---------+----------+--------+-----------+------------+
 *      | id    | flags | qdcount | ancount | nscount | arcount | question | answer | authority | additional |
 *      +-------+-------+---------+---------+---------+---------+----------+--------+-----------+------------+
 *      question: name, type(2), class(2)     record: name, type(2), class(2), ttl(4), rdlength(2), rdata
 *
 * This is the hot path: a row of numbers comes out, and nothing else is made on the way. The counts are rumours: they only say how
 * often to try. RDLENGTH is the fence: a broken record does not break the one behind it.
 */
import { A, AAAA, CNAME, NXDOMAIN, OPT, QR, SOA } from '../codes.ts'
import {
  CONTENT_CUT,
  CUT,
  DNS_MESSAGE,
  EDNS_COOKIE,
  EDNS_DO,
  EDNS_OTHER_OPTION,
  HAS_A,
  HAS_AAAA,
  HAS_ASKED_TYPE,
  HAS_CNAME,
  HAS_SOA,
  MALFORMED,
  type Messages,
  NAME_CUT,
  NONE,
} from '../model.ts'
import { type Decoder, note } from './decoder.ts'
import { grow, isFull, keep } from './messages.ts'
import { BROKEN, ENDED, newName, readName, skipName, WHOLE } from './name.ts'
import { DOMAIN } from './ports.ts'
import { queryHash } from './servers.ts'

export const HEADER = 12
/** Id and flags of a message that the capture cut are worth a row. */
export const LEAST = 4

const COOKIE_OPTION = 10

const name = newName()

/**
 * Appends a row for the message at decoder.bytes[at .. end), of which the wire had [at, wireEnd). Sender, receiver, vantage and
 * moment are the decoder's. The caller has checked that the wire had a whole header, and the capture at least LEAST bytes of it.
 */
export function appendMessage(
  decoder: Decoder,
  transport: number,
  at: number,
  end: number,
  wireEnd: number,
  size: number,
): void {
  const { bytes, capture } = decoder
  const m = decoder.messages
  const row = makeRow(decoder, end - at)
  const flags = (bytes[at + 2] << 8) | bytes[at + 3]
  m.kind[row] = DNS_MESSAGE
  m.transport[row] = transport
  m.size[row] = size
  m.dnsId[row] = (bytes[at] << 8) | bytes[at + 1]
  m.flags[row] = flags
  m.rcode[row] = (flags & QR) === 0 ? NONE : flags & 15
  m.qdcount[row] = at + 6 > end ? 0 : (bytes[at + 4] << 8) | bytes[at + 5]
  m.ancount[row] = at + 8 > end ? 0 : (bytes[at + 6] << 8) | bytes[at + 7]
  m.nscount[row] = at + 10 > end ? 0 : (bytes[at + 8] << 8) | bytes[at + 9]
  m.arcount[row] = at + 12 > end ? 0 : (bytes[at + 10] << 8) | bytes[at + 11]
  if (wireEnd > end) {
    m.state[row] = CUT
    capture.cutMessages++
  }
  const behind = readQuestions(decoder, m, row, at, end)
  if (behind >= 0) {
    if ((flags & QR) !== 0) readResponse(decoder, m, row, at, behind, end)
    else if (m.arcount[row] > 0) readQueryOptions(decoder, m, row, behind, end)
  }
  if (decoder.keepBytes) keep(m, bytes, at, end)
  m.length = row + 1
  decoder.rows++
  capture.messages++
  if (decoder.toPort === DOMAIN && (flags & QR) === 0 && m.qname[row] !== NONE) {
    const hash = queryHash(decoder.from, decoder.fromPort, m.dnsId[row], m.qname[row], m.qtype[row])
    decoder.servers.note(hash, decoder.seconds)
  }
}

/** A fresh row with all that the decoder knows of the packet, and "nothing known" in the columns of the message itself. */
function makeRow(decoder: Decoder, bytes: number): number {
  const m = decoder.messages
  if (isFull(m, decoder.keepBytes ? bytes : 0)) makeRoom(decoder, bytes)
  const row = m.length
  m.seconds[row] = decoder.seconds
  m.nanos[row] = decoder.nanos
  m.file[row] = decoder.file
  m.frame[row] = decoder.frame
  m.vantage[row] = decoder.vantage
  m.direction[row] = decoder.direction
  m.from[row] = decoder.from
  m.to[row] = decoder.to
  m.fromPort[row] = decoder.fromPort
  m.toPort[row] = decoder.toPort
  m.ipId[row] = decoder.ipId
  m.ttl[row] = decoder.ttl
  m.linkSource[row] = decoder.linkSource
  m.state[row] = 0
  m.qname[row] = NONE
  m.qtype[row] = NONE
  m.qclass[row] = NONE
  m.edns[row] = NONE
  m.content[row] = 0
  m.addresses[row] = 0
  m.ipv4[row] = 0
  m.cname[row] = NONE
  m.recordTtl[row] = NONE
  m.sinceSyn[row] = Number.NaN
  return row
}

/** A row about a packet that is no message itself: an ICMP error, a TCP reset. The caller fills in what it knows. */
export function makeBareRow(decoder: Decoder, kind: number, transport: number): number {
  const { messages: m } = decoder
  const row = makeRow(decoder, 0)
  m.kind[row] = kind
  m.transport[row] = transport
  m.size[row] = decoder.size
  m.dnsId[row] = NONE
  m.flags[row] = NONE
  m.rcode[row] = NONE
  m.qdcount[row] = m.ancount[row] = m.nscount[row] = m.arcount[row] = 0
  if (decoder.keepBytes) keep(m, decoder.bytes, 0, 0)
  m.length = row + 1
  decoder.rows++
  return row
}

function makeRoom(decoder: Decoder, bytes: number): void {
  const { messages } = decoder
  while (isFull(messages, decoder.keepBytes ? bytes : 0)) grow(messages, bytes)
}

/** Reads the first question, steps over others, and returns where the answers begin; -1 where reading ends here. */
function readQuestions(decoder: Decoder, m: Messages, row: number, at: number, end: number): number {
  const { bytes } = decoder
  let questions = m.qdcount[row]
  let position = at + HEADER
  if (position > end) return ended(m, row)
  if (questions === 0) return position
  const state = readName(bytes, at, position, end, name)
  if (state === BROKEN) return broken(m, row)
  if (state === WHOLE || name.end > name.start) {
    m.qname[row] = decoder.tables.names.internWire(name.bytes, name.start, name.end)
    if (m.qname[row] === NONE) note(decoder, 'names-limit')
  }
  if (state === ENDED) {
    if ((m.state[row] & CUT) === 0) {
      m.qname[row] = NONE
      return broken(m, row)
    }
    m.state[row] |= NAME_CUT
    return ended(m, row)
  }
  position = name.next
  if (position + 4 > end) return ended(m, row)
  m.qtype[row] = (bytes[position] << 8) | bytes[position + 1]
  m.qclass[row] = (bytes[position + 2] << 8) | bytes[position + 3]
  position += 4
  while (--questions > 0) {
    position = skipName(bytes, position, end)
    if (position < 0) return position === -1 ? ended(m, row) : broken(m, row)
    position += 4
    if (position > end) return ended(m, row)
  }
  return position
}

/** The bytes ended too early: cut by the capture, or by the sender. */
function ended(m: Messages, row: number): number {
  m.state[row] |= (m.state[row] & CUT) === 0 ? MALFORMED : 0
  m.content[row] |= CONTENT_CUT
  return -1
}

function broken(m: Messages, row: number): number {
  m.state[row] |= MALFORMED
  m.content[row] |= CONTENT_CUT
  return -1
}

/** A query's OPT record alone says something that we use. */
function readQueryOptions(decoder: Decoder, m: Messages, row: number, at: number, end: number): void {
  const { bytes } = decoder
  let records = m.ancount[row] + m.nscount[row] + m.arcount[row]
  for (let position = at; records > 0; records--) {
    position = skipName(bytes, position, end)
    const rdata = position + 10
    if (position < 0 || rdata > end) {
      if (position === -2) broken(m, row)
      else ended(m, row)
      return
    }
    const fence = rdata + ((bytes[position + 8] << 8) | bytes[position + 9])
    if (((bytes[position] << 8) | bytes[position + 1]) === OPT && records <= m.arcount[row])
      readOptions(bytes, m, row, position, end)
    if (fence > end) {
      ended(m, row)
      return
    }
    position = fence
  }
}

/** Walks answer, authority and additional section. */
function readResponse(decoder: Decoder, m: Messages, row: number, at: number, behind: number, end: number): void {
  const { bytes } = decoder
  const answers = m.ancount[row]
  const authority = answers + m.nscount[row]
  const records = authority + m.arcount[row]
  const asked = m.qtype[row]
  let content = 0
  let addresses = 0
  let answerTtl = NONE
  let negativeTtl = NONE
  let position = behind
  let i = 0
  for (; i < records; i++) {
    position = skipName(bytes, position, end)
    if (position < 0 || position + 10 > end) break
    const type = (bytes[position] << 8) | bytes[position + 1]
    const rdata = position + 10
    const fence = rdata + ((bytes[position + 8] << 8) | bytes[position + 9])
    if (i < answers) {
      const ttl = ttlAt(bytes, position + 4)
      if (answerTtl === NONE || ttl < answerTtl) answerTtl = ttl
      if (type === A) content |= HAS_A
      else if (type === AAAA) content |= HAS_AAAA
      else if (type === CNAME) {
        content |= HAS_CNAME
        if (m.cname[row] === NONE && fence <= end) m.cname[row] = internName(decoder, at, rdata, fence)
      }
      if (type === asked) {
        if (type === A || type === AAAA) {
          if (addresses === 0 && fence === rdata + 4 && fence <= end) m.ipv4[row] = ipv4At(bytes, rdata)
          addresses++
        } else content |= HAS_ASKED_TYPE
      }
    } else if (i < authority) {
      if (type === SOA && (content & HAS_SOA) === 0) {
        content |= HAS_SOA
        // RFC 2308 5: the SOA's own TTL or its last field, whichever is less.
        negativeTtl = ttlAt(bytes, position + 4)
        if (fence <= end && fence - rdata >= 22) negativeTtl = Math.min(negativeTtl, ttlAt(bytes, fence - 4))
      }
    } else if (type === OPT) {
      readOptions(bytes, m, row, position, end)
      // RFC 6891 6.1.3: the upper eight bits of the response code.
      m.rcode[row] = (m.rcode[row] & 15) | (bytes[position + 4] << 4)
    }
    position = fence
    if (fence > end) {
      i++
      break
    }
  }
  m.content[row] |= content
  m.addresses[row] = addresses
  const negative = addresses === 0 && (content & HAS_ASKED_TYPE) === 0 && negativeTtl !== NONE
  if (negative && (answerTtl === NONE || negativeTtl < answerTtl)) m.recordTtl[row] = negativeTtl
  else if (answers > 0 || (m.flags[row] & 15) === NXDOMAIN) m.recordTtl[row] = answerTtl
  if (position === -2) broken(m, row)
  else if (i < records || position > end) ended(m, row)
}

const ipv4At = (bytes: Buffer, at: number): number =>
  (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]

/** RFC 2181 8: 31 bits; a TTL with the highest bit set counts as zero. */
function ttlAt(bytes: Buffer, at: number): number {
  return bytes[at] > 127 ? 0 : (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]
}

function internName(decoder: Decoder, base: number, at: number, end: number): number {
  if (readName(decoder.bytes, base, at, end, name) !== WHOLE) return NONE
  return decoder.tables.names.internWire(name.bytes, name.start, name.end)
}

/**
 * The OPT record whose type stands at `at`: class is the UDP size, TTL holds the extended rcode, version and DO.
 *
 *      option: code(2), length(2), data
 */
function readOptions(bytes: Buffer, m: Messages, row: number, at: number, end: number): void {
  let edns = (bytes[at + 2] << 8) | bytes[at + 3]
  if (bytes[at + 6] > 127) edns |= EDNS_DO
  let position = at + 10
  const fence = Math.min(end, position + ((bytes[at + 8] << 8) | bytes[at + 9]))
  while (position + 4 <= fence) {
    edns |= ((bytes[position] << 8) | bytes[position + 1]) === COOKIE_OPTION ? EDNS_COOKIE : EDNS_OTHER_OPTION
    position += 4 + ((bytes[position + 2] << 8) | bytes[position + 3])
  }
  m.edns[row] = edns
}
