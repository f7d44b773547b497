/** A message of the waist becomes the record that `dnstrail messages` prints. */
import { className, QR, typeName } from '../codes.ts'
import {
  type Capture,
  CUT,
  DNS_MESSAGE,
  MALFORMED,
  type MessageRecord,
  type Messages,
  NONE,
  type Report,
  TCP,
} from '../model.ts'
import { questionWire } from '../wire/answers.ts'
import type { Tables } from '../wire/tables.ts'
import { captureOf } from './assemble.ts'
import { timeText } from './records.ts'

/** Null for rows that are no DNS messages (ICMP errors, resets). The block keeps its bytes. */
export function messageRecord(
  m: Messages,
  i: number,
  { addresses, names }: Tables,
  files: string[],
): MessageRecord | null {
  if (m.kind[i] !== DNS_MESSAGE) return null
  const flags = m.flags[i]
  const response = (flags & QR) !== 0
  const known = m.qname[i] !== NONE
  return {
    file: files[m.file[i]],
    frame: m.frame[i],
    time: timeText(m.seconds[i], m.nanos[i]),
    transport: m.transport[i] === TCP ? 'tcp' : 'udp',
    from: { address: addresses.text(m.from[i]), port: m.fromPort[i] },
    to: { address: addresses.text(m.to[i]), port: m.toPort[i] },
    dnsId: m.dnsId[i] === NONE ? null : m.dnsId[i],
    flags: flags === NONE ? null : flags,
    response,
    opcode: (flags >> 11) & 15,
    rcode: response ? m.rcode[i] : null,
    qname: known ? names.text(m.qname[i]) : null,
    qnameWire: known ? questionWire(m.bytes as Buffer, m.start[i], m.start[i] + m.bytesLength[i]) : null,
    qtype: m.qtype[i] === NONE ? null : typeName(m.qtype[i]),
    qclass: m.qclass[i] === NONE ? null : className(m.qclass[i]),
    counts: [m.qdcount[i], m.ancount[i], m.nscount[i], m.arcount[i]],
    size: m.size[i],
    cut: (m.state[i] & CUT) !== 0,
    malformed: (m.state[i] & MALFORMED) !== 0,
  }
}

/** The captures as the report tells of them. */
export const captureRecords = (captures: Capture[], tables: Tables): Report['captures'] =>
  captures.map((capture, i) => captureOf(capture, tables, i))
