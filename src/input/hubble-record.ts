/**
 * A DNS record of the proxy becomes what a message has at the waist. There is no id, no header but the response code, no size and no
 * EDNS in it: these stay NONE. https://github.com/cilium/cilium/blob/main/api/v1/flow/flow.proto (message DNS)
 */
import { A, AAAA, NOERROR, QR, TYPES } from '../codes.ts'
import {
  DNS_MESSAGE,
  HAS_A,
  HAS_AAAA,
  HAS_ASKED_TYPE,
  HAS_CNAME,
  type Messages,
  NONE,
  TCP,
  UDP,
  UNREACHABLE,
} from '../model.ts'
import { grow, isFull } from '../wire/messages.ts'
import type { Tables } from '../wire/tables.ts'
import { countOf, type Fields, fieldsOf, integerOf, type Moment, textOf, textsOf } from './hubble-json.ts'

/** A message that waits for its place in time. */
export interface DnsRecord extends Moment, DnsPart {
  kind: number
  frame: number
  vantage: number
  transport: number
  from: number
  to: number
  fromPort: number
  toPort: number
}

const TYPE_NUMBERS = new Map(Object.entries(TYPES).map(([number, name]) => [name, Number(number)]))

/** What the proxy writes as TTL where the answer has no address and no CNAME. */
const NO_TTL = 0xffff_ffff

/** The parts of a flow that say between whom it was. */
export interface Ends {
  source: string
  destination: string
  transport: number
  sourcePort: number
  destinationPort: number
}

/** Null where a field mask or a strange protocol leaves out who talks to whom. */
export function endsOf(flow: Fields): Ends | null {
  const { source, destination } = fieldsOf(flow.IP)
  const { UDP: udp, TCP: tcp } = fieldsOf(flow.l4)
  const ports = fieldsOf(udp ?? tcp)
  if (typeof source !== 'string' || typeof destination !== 'string' || (udp ?? tcp) === undefined) return null
  return {
    source,
    destination,
    transport: udp === undefined ? TCP : UDP,
    sourcePort: countOf(ports.source_port) & 0xffff,
    destinationPort: countOf(ports.destination_port) & 0xffff,
  }
}

/** What the DNS of a record says; the same for every record with the same bytes. */
export interface DnsPart {
  flags: number
  rcode: number
  answerCount: number
  qname: number
  qtype: number
  content: number
  addresses: number
  cname: number
  recordTtl: number
  answers: string[] | null
}

export function dnsPart(dns: Fields, response: boolean, extensions: unknown, names: Tables['names']): DnsPart {
  const query = textOf(dns.query)
  const part: DnsPart = {
    flags: response ? QR : 0,
    rcode: NONE,
    answerCount: 0,
    qname: query === null ? NONE : names.internText(ownForm(query)),
    qtype: typeOf(textsOf(dns.qtypes)[0]),
    content: 0,
    addresses: 0,
    cname: NONE,
    recordTtl: NONE,
    answers: null,
  }
  if (response) addAnswer(part, extensions, dns, names)
  return part
}

/** Null where the addresses are none. */
export function dnsRecord(
  flow: Fields,
  ends: Ends,
  moment: Moment,
  frame: number,
  vantage: number,
  { addresses, names }: Tables,
): DnsRecord | null {
  const { dns, type } = fieldsOf(flow.l7)
  const from = addresses.internText(ends.source)
  const to = addresses.internText(ends.destination)
  if (from === NONE || to === NONE) return null
  const part = dnsPart(fieldsOf(dns), type === 'RESPONSE', flow.extensions, names)
  return recordOf(part, moment, frame, vantage, ends.transport, from, to, ends)
}

export const recordOf = (
  part: DnsPart,
  { seconds, nanos }: Moment,
  frame: number,
  vantage: number,
  transport: number,
  from: number,
  to: number,
  { sourcePort, destinationPort }: { sourcePort: number; destinationPort: number },
): DnsRecord => ({
  seconds,
  nanos,
  kind: DNS_MESSAGE,
  frame,
  vantage,
  transport,
  from,
  to,
  fromPort: sourcePort,
  toPort: destinationPort,
  flags: part.flags,
  rcode: part.rcode,
  answerCount: part.answerCount,
  qname: part.qname,
  qtype: part.qtype,
  content: part.content,
  addresses: part.addresses,
  cname: part.cname,
  recordTtl: part.recordTtl,
  answers: part.answers,
})

function addAnswer(part: DnsPart, extensions: unknown, dns: Fields, names: Tables['names']): void {
  const ips = textsOf(dns.ips)
  const cnames = textsOf(dns.cnames).map(ownForm)
  const types = textsOf(dns.rrtypes)
  part.rcode = countOf(dns.rcode)
  // Retina tells no types, but how many records there were.
  const told = countOf(fieldsOf(fieldsOf(extensions).value).num_responses)
  part.answerCount = types.length || Math.max(ips.length + cnames.length, told)
  const v6 = ips.filter(ip => ip.includes(':')).length
  const { qtype } = part
  part.addresses = qtype === A ? ips.length - v6 : qtype === AAAA ? v6 : 0
  if (ips.length > v6) part.content |= HAS_A
  if (v6 > 0) part.content |= HAS_AAAA
  if (cnames.length > 0) part.content |= HAS_CNAME
  const asked = types.length > 0 ? types.some(type => typeOf(type) === qtype) : part.answerCount > cnames.length
  if (asked && qtype !== A && qtype !== AAAA) part.content |= HAS_ASKED_TYPE
  if (cnames.length > 0) part.cname = names.internText(cnames[0])
  const ttl = integerOf(dns.ttl)
  // Absent is zero for the proxy of Cilium; others do not tell it at all.
  if (ips.length + cnames.length > 0 && ttl !== NO_TTL)
    part.recordTtl = ttl ?? (textOf(dns.observation_source) === null ? NONE : 0)
  if (part.rcode === NOERROR && part.answerCount > 0) part.answers = [...cnames, ...ips]
}

/** The proxy's word that a query went nowhere: as if the network had refused it. */
export const refusal = (record: DnsRecord): DnsRecord => ({ ...record, kind: UNREACHABLE })

/** "Unknown" is what the proxy's library calls types that it does not know. */
function typeOf(name: string | undefined): number {
  if (name === undefined) return NONE
  const known = TYPE_NUMBERS.get(name.toUpperCase())
  if (known !== undefined) return known
  const digits = /^TYPE(\d{1,5})$/i.exec(name)
  return digits === null ? NONE : Number(digits[1])
}

/**
 * A name in the form that our own decoder writes: no trailing dot, and only what has to be escaped is (the Go library also escapes
 * quotes, parentheses and the like).
 */
function ownForm(name: string): string {
  if (!name.includes('\\')) return name.endsWith('.') ? name.slice(0, -1) : name
  const plain = name.replace(/\\(\d{3})|\\(.)/g, (all, code: string | undefined, character: string) => {
    const byte = code === undefined ? character.charCodeAt(0) : Number(code)
    if (byte > 255) return all
    if (byte === 0x2e || byte === 0x5c) return `\\${String.fromCharCode(byte)}`
    return byte > 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\${String(byte).padStart(3, '0')}`
  })
  return /(^|[^\\])(\\\\)*\.$/.test(plain) ? plain.slice(0, -1) : plain
}

/** Appends the record as a row. What Hubble does not know is NONE. */
export function append(m: Messages, record: DnsRecord, file: number): void {
  if (isFull(m, 0)) grow(m, 0)
  const i = m.length
  m.kind[i] = record.kind
  m.seconds[i] = record.seconds
  m.nanos[i] = record.nanos
  m.file[i] = file
  m.frame[i] = record.frame
  m.vantage[i] = record.vantage
  m.direction[i] = 0
  m.transport[i] = record.transport
  m.from[i] = record.from
  m.to[i] = record.to
  m.fromPort[i] = record.fromPort
  m.toPort[i] = record.toPort
  m.ipId[i] = NONE
  m.ttl[i] = 0
  m.linkSource[i] = 0
  m.size[i] = NONE
  m.state[i] = 0
  m.dnsId[i] = NONE
  m.flags[i] = record.flags
  m.rcode[i] = record.rcode
  m.qdcount[i] = record.qname === NONE ? 0 : 1
  m.ancount[i] = record.answerCount
  m.nscount[i] = 0
  m.arcount[i] = 0
  m.qname[i] = record.qname
  m.qtype[i] = record.qtype
  m.qclass[i] = NONE
  m.edns[i] = NONE
  m.content[i] = record.content
  m.addresses[i] = record.addresses
  m.ipv4[i] = 0
  m.cname[i] = record.cname
  m.recordTtl[i] = record.recordTtl
  m.sinceSyn[i] = Number.NaN
  if (m.answers) m.answers[i] = record.answers
  m.length++
}

/** True for two reports of one and the same event: a log that holds it twice. */
export const isSameEvent = (a: DnsRecord, b: DnsRecord): boolean =>
  a.seconds === b.seconds &&
  a.nanos === b.nanos &&
  a.vantage === b.vantage &&
  a.kind === b.kind &&
  a.flags === b.flags &&
  a.fromPort === b.fromPort &&
  a.toPort === b.toPort &&
  a.from === b.from &&
  a.to === b.to &&
  a.qname === b.qname &&
  a.qtype === b.qtype
