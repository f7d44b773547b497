/** A capture's traffic as the flow log that Hubble's DNS proxy would have written of it, in the shape of hubble observe -o jsonpb. */
import { QR, TC, typeName } from '../src/codes.ts'
import { readCaptures } from '../src/input/merge.ts'
import { DNS_MESSAGE, type Messages, NONE, TCP } from '../src/model.ts'
import { readAnswers } from '../src/wire/answers.ts'
import { Issues } from '../src/wire/issues.ts'
import { newTables, type Tables } from '../src/wire/tables.ts'

const NODE = 'cluster/node-a'
const NO_TTL = 4_294_967_295

/** One line, with nothing in it that Hubble does not write. */
export function flowLine(flow: Record<string, unknown>): string {
  const { time, node_name = NODE } = flow
  return JSON.stringify({ flow: { time, ...flow, node_name }, node_name, time })
}

/** RFC 3339 with 0, 3, 6 or 9 digits, as protojson writes it. */
export function flowTime(seconds: number, nanos: number): string {
  const whole = new Date(seconds * 1000).toISOString().slice(0, 19)
  const digits = String(nanos)
    .padStart(9, '0')
    .replace(/(000)+$/, '')
  return `${whole}${digits === '' ? '' : `.${digits}`}Z`
}

export interface RecordLine {
  seconds: number
  nanos: number
  from: string
  to: string
  fromPort: number
  toPort: number
  tcp?: boolean
  response?: boolean
  query: string
  qtype: string
  rcode?: number
  ips?: string[]
  cnames?: string[]
  types?: string[]
  verdict?: string
  node?: string
}

/** A DNS record of the proxy. Zero values are absent. */
export function recordLine(r: RecordLine): string {
  const ports = { source_port: r.fromPort, destination_port: r.toPort }
  const noTtl = !r.ips?.length && !r.cnames?.length
  const answer = {
    ips: r.ips?.length ? r.ips : undefined,
    ttl: noTtl ? NO_TTL : 30,
    cnames: r.cnames?.length ? r.cnames.map(name => `${name}.`) : undefined,
    rcode: r.rcode || undefined,
    rrtypes: r.types?.length ? r.types : undefined,
  }
  return flowLine({
    time: flowTime(r.seconds, r.nanos),
    verdict: r.verdict ?? 'FORWARDED',
    IP: { source: r.from, destination: r.to, ipVersion: r.from.includes(':') ? 'IPv6' : 'IPv4' },
    l4: r.tcp ? { TCP: ports } : { UDP: ports },
    source: {},
    destination: {},
    Type: 'L7',
    node_name: r.node ?? NODE,
    l7: {
      type: r.response ? 'RESPONSE' : 'REQUEST',
      dns: {
        query: `${r.query}.`,
        observation_source: 'proxy',
        qtypes: [r.qtype],
        ...(r.response ? answer : {}),
      },
    },
    event_type: { type: 129 },
    traffic_direction: 'EGRESS',
    is_reply: r.response === true,
  })
}

/**
 * The DNS messages of a capture as lines, each once: where several interfaces saw it, as the one nearest to its client did, which is
 * where a proxy sits. Messages without a question have no place in Hubble.
 */
export async function flowLogOf(file: string): Promise<string> {
  const lines: string[] = []
  const tables = newTables()
  const options = { keepBytes: true, tables, issues: new Issues() }
  const nearest = new Map<number, number>()
  await readCaptures([file], options, (m, i) => {
    if (m.kind[i] !== DNS_MESSAGE || m.qname[i] === NONE) return
    const response = (m.flags[i] & QR) !== 0
    // The proxy tells of no answer that was truncated: cilium/cilium#31197.
    if (response && m.flags[i] & TC) return
    const client = response ? m.to[i] : m.from[i]
    if (!response && !nearest.has(client)) nearest.set(client, m.vantage[i])
    if (nearest.get(client) === m.vantage[i]) lines.push(lineOf(m, i, tables))
  })
  return `${lines.join('\n')}\n`
}

function lineOf(m: Messages, i: number, { addresses, names }: Tables): string {
  const response = (m.flags[i] & QR) !== 0
  const answers = response ? readAnswers(m.bytes as Buffer, m.start[i], m.start[i] + m.bytesLength[i]) : []
  const types = response ? answerTypes(m, i) : []
  return recordLine({
    seconds: m.seconds[i],
    nanos: m.nanos[i],
    from: addresses.text(m.from[i]),
    to: addresses.text(m.to[i]),
    fromPort: m.fromPort[i],
    toPort: m.toPort[i],
    tcp: m.transport[i] === TCP,
    response,
    query: names.text(m.qname[i]),
    qtype: typeName(m.qtype[i]),
    rcode: response ? m.rcode[i] : 0,
    ips: answers.filter((_, k) => types[k] === 'A' || types[k] === 'AAAA'),
    cnames: answers.filter((_, k) => types[k] === 'CNAME'),
    types,
  })
}

/** The types of the records in the answer section, read by hand: an owner is a name or a pointer. */
function answerTypes(m: Messages, i: number): string[] {
  const { bytes } = m
  const word = (at: number) => (bytes[at] << 8) | bytes[at + 1]
  const base = m.start[i]
  const end = base + m.bytesLength[i]
  const types: string[] = []
  let at = base + 12
  const skipName = (): void => {
    while (at < end && bytes[at] !== 0 && bytes[at] < 0xc0) at += bytes[at] + 1
    at += bytes[at] >= 0xc0 ? 2 : 1
  }
  for (let n = word(base + 4); n > 0; n--) {
    skipName()
    at += 4
  }
  for (let n = word(base + 6); n > 0; n--) {
    skipName()
    if (at + 10 > end) break
    types.push(typeName(word(at)))
    at += 10 + word(at + 8)
  }
  return types
}
