/**
 * Scenarios: what was on the wire and what it came to, in one small text file. Their language is described in test/README.md. This reads
 * them, runs them through the trace, and puts what comes out into the words of the lines that expect it.
 */
import { readFileSync } from 'node:fs'
import { AA, AD, QR, RA, RD, TC, TYPES } from '../src/codes.ts'
import type { Examination } from '../src/findings/examine.ts'
import type { World } from '../src/findings/world.ts'
import {
  CONTENT_CUT,
  DNS_MESSAGE,
  EDNS_COOKIE,
  HAS_A,
  HAS_AAAA,
  HAS_ASKED_TYPE,
  HAS_CNAME,
  HAS_SOA,
  NONE,
  type PodDns,
  type ResolvConf,
  type Role,
  TCP_SILENT,
  UNREACHABLE,
} from '../src/model.ts'
import type { HopRecord, LookupRecord } from '../src/report/record-types.ts'
import { hopRecord, lookupRecord, type RecordContext } from '../src/report/records.ts'
import type { EndpointRow } from '../src/report/report-types.ts'
import type { Identities } from '../src/trace/identity.ts'
import { Trace } from '../src/trace/trace.ts'
import { newMessages } from '../src/wire/messages.ts'
import { newTables } from '../src/wire/tables.ts'

interface Row {
  time: number
  response: boolean
  icmp: boolean
  /** No query: the SYN of its connection, sent again. */
  syn: boolean
  client: string
  server: string
  port: number
  serverPort: number
  id: number
  type: number
  name: string
  flags: number
  rcode: number
  edns: number
  tcp: boolean
  content: number
  addresses: number
  ipv4: number
  answers: number
  cname: string | null
  recordTtl: number
  size: number
  sinceSyn: number
  /** Link-layer addresses of client and server; 0 where they are not known. */
  links: [client: number, server: number]
  /** 1 behind the DNAT. */
  vantage: number
  /** Routers that it crossed before it came here. */
  routers: number
  /** IP identification: the same on both sides of the DNAT. */
  packet: number
}

export interface Scenario {
  title: string
  rows: Row[]
  expected: string[]
  findings: string[]
  hops: string[]
  endpoints: string[]
  /** What the findings must say. */
  says: string[]
  /** Address and node. */
  nodes: [address: string, node: string][]
  /** Address and role. */
  roles: [address: string, role: Role][]
  /** Address and dnsPolicy. */
  policies: [address: string, policy: string, ...words: string[]][]
  conf: ResolvConf | null
  /** Decided upon as it comes, not at the end. */
  live: boolean
  /** The direction that was captured. */
  only: 'queries' | 'responses' | null
}

const RCODES: Record<string, number> = { FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5 }
const typeOf = (name: string): number => Number(Object.entries(TYPES).find(([, text]) => text === name)?.[0])

export function readScenario(path: string): Scenario {
  const scenario: Scenario = {
    title: path,
    rows: [],
    expected: [],
    findings: [],
    hops: [],
    endpoints: [],
    says: [],
    nodes: [],
    policies: [],
    roles: [],
    conf: null,
    live: false,
    only: null,
  }
  const lines = repeated(readFileSync(path, 'utf8').split('\n')).flatMap(walked)
  for (const line of lines) {
    if (line.startsWith('only ')) scenario.only = line.slice(5) as Scenario['only']
    else if (line.startsWith('#') && scenario.title === path) scenario.title = line.slice(1).trim()
    else if (line === 'live') scenario.live = true
    else if (line.startsWith('role ')) scenario.roles.push(line.split(/\s+/).slice(1) as [string, Role])
    else if (line.startsWith('policy ')) scenario.policies.push(line.split(/\s+/).slice(1) as [string, string])
    else if (line.startsWith('conf ')) scenario.conf = confOf(line.split(/\s+/).slice(1))
    else if (line.startsWith('node ')) scenario.nodes.push(line.split(/\s+/).slice(1) as [string, string])
    else if (line.startsWith('~')) scenario.says.push(line.slice(1).trim())
    else if (line.startsWith('!')) scenario.findings.push(line.slice(1).trim())
    else if (line.startsWith('>')) scenario.hops.push(line.slice(1).trim())
    else if (line.startsWith('@')) scenario.endpoints.push(line.slice(1).trim())
    else if (line.startsWith('=')) scenario.expected.push(line.slice(1).trim())
    else if (/^[\d.]+ /.test(line)) scenario.rows.push(...rowsOf(line))
  }
  scenario.rows.sort((a, b) => a.time - b.time)
  return scenario
}

/** "repeat N every S" ... "end": the lines between N times, each S seconds later. */
function repeated(lines: string[]): string[] {
  const at = lines.findIndex(line => line.startsWith('repeat '))
  if (at < 0) return lines
  const end = lines.indexOf('end', at)
  const [, times, , seconds] = lines[at].split(/\s+/)
  const block = lines.slice(at + 1, end)
  const copies = Array.from({ length: Number(times) }, (_, i) =>
    block.map(line =>
      line.replace(/^[\d.]+/, time => (Number(time) + i * Number(seconds)).toFixed(6)).replaceAll('%i', String(i)),
    ),
  )
  return [...lines.slice(0, at), ...copies.flat(), ...repeated(lines.slice(end + 1))]
}

/** One search domain after the other takes this long. */
const STEP = 0.003
const SEARCH_LIST = 'shop.svc.cluster.local,svc.cluster.local,cluster.local,corp.example'
let walks = 0
let packets = 0

/** A "walk" line becomes the queries of a whole search. */
function walked(line: string): string[] {
  if (!/^[\d.]+ walk /.test(line)) return [line]
  const [left, right] = line.split(' -> ')
  const words = left.split(/\s+/)
  const name = words.at(-1) as string
  const given = new Map(words.slice(2, -1).map(word => word.split('=') as [string, string]))
  const pass = [...given]
    .filter(([key]) => !['list', 'at', 'v6'].includes(key))
    .map(([key, value]) => `${key}=${value}`)
  const at = given.get('at') ?? ''
  const list = given.get('list') ?? SEARCH_LIST
  const domains = [...(list === '-' ? [] : list.split(',')), '']
  const v6 = given.get('v6')
  return domains.slice(0, domains.indexOf(at) + 1).flatMap((domain, i) => {
    const n = ++walks
    // No clock: musl's ids lie close together.
    const id = (n * 40503) & 0x7fff
    const asked = domain === '' ? name : `${name}.${domain}`
    const time = (Number(words[0]) + i * STEP).toFixed(6)
    const common = [time, ...pass, `sport=${20000 + (n % 40000)}`]
    const a = domain === at ? right : 'NXDOMAIN'
    const aaaa = domain !== at || right === 'NXDOMAIN' ? 'NXDOMAIN' : v6 ? `AAAA ${v6}` : 'NODATA'
    return [
      `${common.join(' ')} id=${id.toString(16)} A ${asked} -> ${a}`,
      `${common.join(' ')} id=${(id | 0x8000).toString(16)} AAAA ${asked} -> ${aaaa}`,
    ]
  })
}

function rowsOf(line: string): Row[] {
  const [left, right] = line.split(' -> ')
  const words = left.split(/\s+/)
  const time = Number(words[0])
  const [type, name] = words.slice(-2)
  const given = new Map(words.slice(1, -2).map(word => word.split('=') as [string, string]))
  const [outcome, ...rest] = right.split(/\s+/)
  const delay = Number(rest.find(word => word.startsWith('after='))?.slice(6) ?? 2)
  const values = rest.filter(word => !/^(after|again|ttl|size|cname)=|^(cut|aa|noaa|nora|far|unwanted)$/.test(word))
  const opt = given.has('opt') ? Number(given.get('opt')) | (given.has('cookie') ? EDNS_COOKIE : 0) : NONE
  const query: Row = {
    time,
    response: false,
    icmp: false,
    syn: false,
    client: given.get('client') ?? '10.244.0.11',
    server: given.get('server') ?? '10.96.0.10',
    port: Number(given.get('sport') ?? 40000),
    serverPort: 53,
    id: Number.parseInt(given.get('id') ?? '1', 16),
    type: typeOf(type),
    name,
    flags: RD | (given.has('ad') ? AD : 0),
    rcode: NONE,
    edns: opt,
    tcp: given.has('tcp'),
    content: 0,
    addresses: 0,
    ipv4: 0,
    answers: 0,
    cname: null,
    recordTtl: NONE,
    size: 28 + 12 + name.length + 6,
    sinceSyn: given.has('syn') ? Number(given.get('syn')) * 1e6 : Number.NaN,
    links: [Number(given.get('link') ?? 0), Number(given.get('serverlink') ?? 0)],
    vantage: 0,
    routers: 0,
    packet: ++packets,
  }
  const served = given.get('dnat')
  const inside = (row: Row, later: number): Row => ({
    ...row,
    time: row.time + later,
    server: served as string,
    serverPort: Number(given.get('dport') ?? 53),
    vantage: 1,
  })
  if (outcome === 'drop') return served && values.includes('behind') ? [query, inside(query, 20e-6)] : [query]
  const response: Row = {
    ...query,
    time: time + delay / 1000,
    response: true,
    packet: ++packets,
    flags: QR | RD | RA | (name.endsWith('.cluster.local') ? AA : 0),
    rcode: RCODES[outcome] ?? 0,
  }
  if (outcome === 'unopened') return [{ ...query, syn: true, tcp: true }]
  if (outcome === 'icmp') return [query, { ...query, time: response.time, icmp: true }]
  if (outcome === 'NXDOMAIN' || outcome === 'NODATA') response.content = HAS_SOA
  if (outcome === 'TC') response.flags |= TC
  if (outcome === 'CNAME') {
    response.content |= HAS_CNAME
    response.cname = values[0]
    response.answers = 1
  }
  if (outcome === type) {
    response.answers = values.length
    if (type === 'A' || type === 'AAAA') {
      response.content |= type === 'A' ? HAS_A : HAS_AAAA
      response.addresses = values.length
      if (type === 'A') response.ipv4 = ipv4Of(values[0])
    } else response.content |= HAS_ASKED_TYPE
  }
  response.recordTtl = Number(rest.find(word => word.startsWith('ttl='))?.slice(4) ?? NONE)
  response.size = Number(rest.find(word => word.startsWith('size='))?.slice(5) ?? query.size)
  response.sinceSyn = Number.NaN
  if (rest.includes('cut')) response.content |= CONTENT_CUT
  const target = rest.find(word => word.startsWith('cname='))?.slice(6)
  if (target !== undefined) {
    response.content |= HAS_CNAME
    response.cname = target
    response.answers++
  }
  if (rest.includes('far')) response.routers = 2
  if (rest.includes('aa')) response.flags |= AA
  if (rest.includes('noaa')) response.flags &= ~AA
  if (rest.includes('nora')) response.flags &= ~RA
  const again = rest.find(word => word.startsWith('again='))?.slice(6)
  const answers = [response]
  if (again !== undefined) answers.push({ ...response, time: response.time + Number(again) / 1000, packet: ++packets })
  const last = answers[answers.length - 1]
  const unwanted = rest.includes('unwanted') ? [{ ...last, time: last.time + 50e-6, icmp: true }] : []
  if (served === undefined) return [query, ...answers, ...unwanted]
  const crossing = given.has('crossing') ? Number(given.get('crossing')) / 1000 : 20e-6
  return [query, inside(query, crossing), inside(response, -20e-6), response]
}

const wordOf = (words: string[], key: string): string | null =>
  words.find(word => word.startsWith(`${key}=`))?.slice(key.length + 1) ?? null

function dnsOf(policy: string, words: string[]): PodDns {
  const ndots = wordOf(words, 'ndots')
  return {
    policy,
    namespace: wordOf(words, 'namespace') ?? 'default',
    nameservers: [],
    searches: wordOf(words, 'search')?.split(',') ?? [],
    ndots: ndots === null ? null : Number(ndots),
  }
}

const confOf = ([domains, ...words]: string[]): ResolvConf => ({
  nameservers: [],
  search: domains.split(','),
  ndots: Number(wordOf(words, 'ndots') ?? 1),
})

function identitiesOf(nodes: Scenario['nodes'], policies: Scenario['policies']): Identities {
  const identities: Identities = new Map()
  const nobody = { namespace: null, pod: null, workload: null, node: null, name: null, role: null }
  for (const [address, node] of nodes) identities.set(address, { ...nobody, node })
  for (const [address, policy] of policies) {
    const dns = { policy, namespace: 'default', nameservers: [], searches: [], ndots: null }
    identities.set(address, { ...nobody, ...identities.get(address), dns })
  }
  return identities
}

/** Runs a scenario through the trace, as messages of one capture taken at the client. */
export const runScenario = (scenario: Scenario, begin: ((world: World) => Examination) | null = null): LookupRecord[] =>
  traceScenario(scenario, begin).records

/** The same, with the trace that has read it all. */
export function traceScenario(
  { rows, nodes, policies, roles, conf, live, only }: Scenario,
  begin: ((world: World) => Examination) | null = null,
): { trace: Trace; context: RecordContext; records: LookupRecord[]; hops: HopRecord[] } {
  const tables = newTables()
  const records: LookupRecord[] = []
  const hops: { start: number; number: number; record: HopRecord }[] = []
  const vantages = ['eth0', 'eth1'].map((name, i) => tables.vantages.intern(0, i === 0 ? NONE : i, name, 1))
  const context: RecordContext = {
    tables,
    files: ['scenario'],
    origin: () => trace.matching.origin ?? 0,
    get endpoints() {
      return trace.endpoints
    },
    get searchLists() {
      return trace.searchLists
    },
    get places() {
      return trace.places
    },
    identities: identitiesOf(nodes, policies),
  }
  const trace: Trace = new Trace(tables, {
    clusterDomain: null,
    roles: [
      ...policies.map(([address]) => ({ address, role: 'pod' as const, from: '--resources' })),
      ...roles.map(([address, role]) => ({ address, role, from: '--role' })),
    ].map(hint => ({ ...hint, address: tables.addresses.internText(hint.address) })),
    resolvConf: conf,
    pods: policies
      .filter(([, , ...words]) => words.length > 0)
      .map(([address, policy, ...words]) => ({
        address: tables.addresses.internText(address),
        dns: dnsOf(policy, words),
      })),
    readAnswers: null,
    wanted: () => true,
    keepsRecords: false,
    lookup: (lookup, waste, inward) => {
      examination?.lookup(lookup, waste, inward)
      records.push(lookupRecord(context, lookup, waste, inward))
    },
    hop: hop => {
      examination?.hop(hop)
      hops.push({ start: hop.transaction.start, number: hop.transaction.number, record: hopRecord(context, hop) })
    },
    settled: null,
  })
  if (live) trace.follow()
  const examination = begin?.({ trace, tables, identities: context.identities, files: context.files }) ?? null
  const m = newMessages(1, false)
  m.length = 1
  rows.forEach((row, i) => {
    const fromClient = !row.response
    if (only !== null && (only === 'queries') !== fromClient) return
    m.kind[0] = row.icmp ? UNREACHABLE : row.syn ? TCP_SILENT : DNS_MESSAGE
    m.seconds[0] = Math.floor(row.time)
    m.nanos[0] = Math.round((row.time - Math.floor(row.time)) * 1e9)
    m.frame[0] = i + 1
    m.vantage[0] = vantages[row.vantage]
    m.transport[0] = row.tcp ? 1 : 0
    m.from[0] = tables.addresses.internText(fromClient ? row.client : row.server)
    m.to[0] = tables.addresses.internText(fromClient ? row.server : row.client)
    m.fromPort[0] = fromClient ? row.port : row.serverPort
    m.toPort[0] = fromClient ? row.serverPort : row.port
    m.ipId[0] = row.packet
    m.ttl[0] = 64 - row.vantage - row.routers
    m.linkSource[0] = row.links[fromClient ? 0 : 1]
    m.size[0] = row.size
    m.dnsId[0] = row.id
    m.flags[0] = row.flags
    m.rcode[0] = row.rcode
    m.qdcount[0] = 1
    m.ancount[0] = row.answers
    m.qname[0] = tables.names.internText(row.name)
    m.qtype[0] = row.type
    m.qclass[0] = 1
    m.edns[0] = row.edns
    m.content[0] = row.content
    m.addresses[0] = row.addresses
    m.ipv4[0] = row.ipv4
    m.cname[0] = row.cname === null ? NONE : tables.names.internText(row.cname)
    m.recordTtl[0] = row.recordTtl
    m.sinceSyn[0] = row.sinceSyn
    trace.add(m, 0)
  })
  trace.finish()
  hops.sort((a, b) => a.start - b.start || a.number - b.number)
  return { trace, context, records, hops: hops.map(({ record }) => record) }
}

const ipv4Of = (text: string): number => text.split('.').reduce((bits, byte) => (bits << 8) | Number(byte), 0)

/** A lookup in the words of an expectation: only what the expectation names, so that a line says what it is about. */
export function describeLookup(record: LookupRecord, expectation: string): string {
  const [, , , ...details] = expectation.split(/\s+/)
  const wait = record.waitMs === null ? 'unknown' : `${Math.round(record.waitMs * 10) / 10}`
  const known: Record<string, string> = {
    queries: String(record.queries),
    search: String(record.waste.search),
    fanOut: String(record.waste.fanOut),
    retransmission: String(record.waste.retransmission),
    truncation: String(record.waste.truncation),
    family: String(record.waste.family),
    nxdomain: String(record.waste.nxdomain),
    wait,
    inferred: String(record.waitInferred),
    certain: String(record.nameCertain),
    alternatives: record.alternatives.join(','),
    types: record.qtypes.join(','),
    candidates: String(record.candidates.length),
    list: record.searchList.join(','),
    ndots: `${record.ndots.min ?? ''}..${record.ndots.max ?? ''}`,
  }
  const told = details.map(detail => {
    const key = detail.split('=')[0]
    return `${key}=${known[key] ?? '?'}`
  })
  return [record.name, record.outcome, record.resolver ?? '?', ...told].join(' ')
}

/** A hop in the words of an expectation. */
export function describeHop(hop: HopRecord, hops: HopRecord[], lookups: LookupRecord[], expectation: string): string {
  const [, , , , ...details] = expectation.split(/\s+/)
  const known: Record<string, string> = {
    ...Object.fromEntries(Object.entries(hop).map(([key, value]) => [key, String(value ?? '')])),
    causedBy: hop.causedBy.map(id => hops.findIndex(other => other.id === id) + 1).join(','),
    lookup: String(lookups.findIndex(({ id }) => id === hop.lookup) + 1 || ''),
    fromRole: hop.from.role,
    toRole: hop.to.role,
    asked: hop.to.asked,
    lost: hop.losses
      .map(({ what, behind, inside, inFrontOf }) =>
        [
          what ?? 'unknown',
          behind && `behind:${behind}`,
          inside && `inside:${inside}`,
          inFrontOf && `inFrontOf:${inFrontOf}`,
        ]
          .filter(Boolean)
          .join(':'),
      )
      .join(','),
  }
  const told = details.map(detail => {
    const key = detail.split('=')[0]
    return `${key}=${known[key] ?? '?'}`
  })
  return [hop.from.address, hop.to.address, hop.qtype, hop.qname, ...told].join(' ')
}

/** An endpoint in the words of an expectation. */
export function describeEndpoint({ address, role, name, evidence }: EndpointRow, expectation: string): string {
  const told = [address, role, ...(name === null ? [] : [`(${name})`])].join(' ')
  return expectation.includes(': ') ? `${told}: ${evidence.join('; ')}` : told
}
