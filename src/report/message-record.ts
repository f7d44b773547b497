/** A message of the waist becomes the record that `dnstrail messages` prints. */
import { className, QR, typeName } from '../codes.ts'
import { type Capture, CUT, DNS_MESSAGE, MALFORMED, type Messages, NONE, TCP } from '../model.ts'
import { questionWire } from '../wire/answers.ts'
import type { Tables } from '../wire/tables.ts'
import { captureOf } from './assemble.ts'
import type { MessageRecord } from './record-types.ts'
import { timeText } from './records.ts'
import type { Report } from './report-types.ts'

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
  // What has no id (Hubble) has no header either: its flags hold no more than the direction.
  const hasHeader = m.dnsId[i] !== NONE
  // What the capture cut off is not known.
  const countAt = (at: number, count: number): number | null =>
    (m.state[i] & CUT) !== 0 && m.bytesLength[i] < at + 2 ? null : count
  return {
    file: files[m.file[i]],
    frame: m.frame[i],
    time: timeText(m.seconds[i], m.nanos[i]),
    transport: m.transport[i] === TCP ? 'tcp' : 'udp',
    from: { address: addresses.text(m.from[i]), port: m.fromPort[i] },
    to: { address: addresses.text(m.to[i]), port: m.toPort[i] },
    dnsId: hasHeader ? m.dnsId[i] : null,
    flags: hasHeader && flags !== NONE ? flags : null,
    response,
    opcode: hasHeader ? (flags >> 11) & 15 : null,
    rcode: response ? m.rcode[i] : null,
    qname: known ? names.text(m.qname[i]) : null,
    qnameWire: known && hasHeader ? questionWire(m.bytes, m.start[i], m.start[i] + m.bytesLength[i]) : null,
    qtype: m.qtype[i] === NONE ? null : typeName(m.qtype[i]),
    qclass: m.qclass[i] === NONE ? null : className(m.qclass[i]),
    counts: hasHeader
      ? [countAt(4, m.qdcount[i]), countAt(6, m.ancount[i]), countAt(8, m.nscount[i]), countAt(10, m.arcount[i])]
      : null,
    size: m.size[i] === NONE ? null : m.size[i],
    cut: (m.state[i] & CUT) !== 0,
    malformed: (m.state[i] & MALFORMED) !== 0,
  }
}

/** The captures as the report tells of them. */
export const captureRecords = (captures: Capture[], tables: Tables): Report['captures'] =>
  captures.map((capture, i) => captureOf(capture, tables, i))
