/** The columns of a message: `dnstrail messages`. */

import { rcodeName } from '../codes.ts'
import { timeOfDay } from '../quantities.ts'
import type { Column } from './columns.ts'
import type { MessageRecord } from './record-types.ts'
import { nameText } from './words.ts'

const end = ({ address, port }: { address: string; port: number }) =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`

/** "query", or the response code by its name. */
const kind = (message: MessageRecord) =>
  message.response ? (message.rcode === null ? 'response' : rcodeName(message.rcode)) : 'query'

const flaws = (message: MessageRecord) =>
  [message.cut ? 'cut' : '', message.malformed ? 'malformed' : ''].filter(Boolean).join(' ')

export const MESSAGE_COLUMNS: readonly Column<MessageRecord>[] = [
  { key: 'file', title: 'file', value: m => m.file },
  { key: 'frame', title: 'frame', value: m => m.frame, align: 'right', width: 7 },
  { key: 'time', title: 'time (UTC)', value: m => m.time, text: m => timeOfDay(m.time), width: 12 },
  { key: 'transport', title: 'over', value: m => m.transport, width: 4, drop: 3, second: true },
  {
    key: 'from',
    title: 'from',
    value: m => m.from.address,
    text: m => end(m.from),
    width: 21,
    keep: 'tail',
    least: 18,
    second: true,
  },
  { key: 'fromPort', title: 'port', value: m => m.from.port },
  {
    key: 'to',
    title: 'to',
    value: m => m.to.address,
    text: m => end(m.to),
    width: 21,
    keep: 'tail',
    least: 18,
    second: true,
  },
  { key: 'toPort', title: 'port', value: m => m.to.port },
  { key: 'dnsId', title: 'id', value: m => m.dnsId, align: 'right', width: 5, drop: 2, second: true },
  { key: 'flags', title: 'flags', value: m => m.flags },
  { key: 'response', title: 'response', value: m => m.response },
  { key: 'opcode', title: 'opcode', value: m => m.opcode },
  { key: 'rcode', title: 'kind', value: m => m.rcode, text: kind, width: 8 },
  { key: 'qtype', title: 'type', value: m => m.qtype, width: 5 },
  {
    key: 'qname',
    title: 'name',
    value: m => m.qname,
    text: m => nameText(m.qname),
    width: 44,
    keep: 'tail',
    least: 24,
  },
  { key: 'qnameWire', title: 'name in bytes', value: m => m.qnameWire },
  { key: 'qclass', title: 'class', value: m => m.qclass },
  { key: 'qdcount', title: 'questions', value: m => m.counts?.[0] ?? null },
  { key: 'ancount', title: 'answers', value: m => m.counts?.[1] ?? null },
  { key: 'nscount', title: 'authority', value: m => m.counts?.[2] ?? null },
  { key: 'arcount', title: 'additional', value: m => m.counts?.[3] ?? null },
  { key: 'size', title: 'size', value: m => m.size, align: 'right', width: 5, drop: 4, second: true },
  { key: 'cut', title: 'cut', value: m => m.cut },
  { key: 'malformed', title: 'malformed', value: m => m.malformed },
  { key: 'flaws', title: '', value: m => flaws(m) || null, width: 9, drop: 1, second: true },
]
