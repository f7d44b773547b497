/** All that was added up becomes the report: roles are certain now, so sums per address become sums per role. */
import { rcodeName } from '../codes.ts'
import type { Clock } from '../input/clocks.ts'
import type { Conversations } from '../input/hubble-conversations.ts'
import { pausesOf } from '../input/pauses.ts'
import {
  type AddressId,
  type Capture,
  type FilterRecord,
  type Finding,
  failuresOf,
  type Issue,
  type Moment,
  ROLES,
  type Role,
} from '../model.ts'
import { Histogram } from '../trace/quantiles.ts'
import { type EdgeSum, joinKeyed, type KeyedWaste, newKeyedWaste, type Sums, wastedOf } from '../trace/sums.ts'
import type { Trace } from '../trace/trace.ts'
import { nxdomainOf } from '../trace/waste.ts'
import { WELL_KNOWN } from '../well-known.ts'
import type { Tables } from '../wire/tables.ts'
import { changesOf } from './changes.ts'
import { flowRemarks } from './flow-remarks.ts'
import { flowSums } from './flows.ts'
import { contradictionRemarks, inputRemarks } from './input-remarks.ts'
import { partialRemarks } from './partial-remarks.ts'
import { type Place, qualityOf } from './quality.ts'
import type { LookupRecord } from './record-types.ts'
import { endpointOf, lossRecord, type RecordContext, timeText } from './records.ts'
import type { EdgeRow, EncryptedRow, EndpointRow, Report, ServerRow, WasteRow, WasteSum } from './report-types.ts'
import { unopenedRows } from './unopened.ts'

/** Rows of a table of the worst. */
const TOP = 20
const MAX_ASKERS = 5

export interface Parts {
  version: string
  captures: Capture[]
  /** Null where there is but one capture. */
  clocks: Clock[] | null
  trace: Trace
  issues: Issue[]
  findings: Finding[]
  filters: FilterRecord | null
  slowest: LookupRecord[]
  flows: { conversations: Conversations }
  context: RecordContext
}

export function assemble(parts: Parts): Report {
  const { version, captures, clocks, trace, issues, findings, filters, slowest, flows, context } = parts
  const { sums } = trace
  const messages = sum(captures, c => c.messages)
  const { outcomes } = sums
  const endpoints = endpointsOf(trace, context)
  return {
    version,
    captures: captures.map((capture, i) => captureOf(capture, context.tables, i, clocks?.[i])),
    quality: qualityOf(
      captures.map((capture, i) => withoutTakenBack(capture, clocks?.[i])),
      trace.matching,
      trace.oneWay,
      places(trace, context),
      sums,
      [
        ...inputRemarks(captures),
        ...flowRemarks(captures, endpoints),
        ...contradictionRemarks(trace, context),
        ...partialRemarks(trace, context),
      ],
      issues,
    ),
    filters,
    totals: {
      seconds: secondsOf(captures, clocks),
      frames: sum(captures, c => c.frames),
      messages,
      sightings: trace.matching.counts.sightings,
      transactions: sums.transactions,
      lookups: sums.lookups,
      outcomes,
      failed: failuresOf(sums.outcomes),
      wait: quantiles(sums.wait),
      infrastructure: sums.infrastructure,
    },
    endpoints,
    edges: edgesOf(trace, context, sums),
    servers: serversOf(trace, context, sums),
    encrypted: encryptedOf(context),
    waste: wasteOf(trace, context, sums),
    changes: changesOf(trace, context),
    losses: [...sums.losses.values()]
      .sort((a, b) => b.count - a.count)
      .slice(0, TOP)
      .map(({ count, ...loss }) => {
        const { try: _, ...place } = lossRecord(context, { ...loss, try: 1 })
        return { ...place, count }
      }),
    unopened: unopenedRows(trace.matching.unopened, context),
    slowest,
    translations: translationsOf(trace, context),
    flows: flowSums(flows.conversations, context),
    searchLists: searchListsOf(trace, context),
    findings,
    issues,
  }
}

const sum = <T>(list: T[], value: (item: T) => number): number => list.reduce((n, item) => n + value(item), 0)

export const quantiles = (histogram: Histogram) => {
  const { p50, p90, p99, max } = histogram.quantiles
  const round = (ms: number | null): number | null => (ms === null ? null : Math.round(ms * 1e4) / 1e4)
  return { p50: round(p50), p90: round(p90), p99: round(p99), max: round(max) }
}

// -- Captures -------------------------------------------------------------------------------------------------------------------------

/** A capture as the report tells of it. */
export function captureOf(capture: Capture, tables: Tables, file: number, clock?: Clock): Report['captures'][number] {
  const { first, last, activity: _, ...rest } = capture
  const vantages = tables.vantages.list.filter(v => v.file === file && (v.name !== null || v.index >= 0))
  return {
    ...rest,
    first: first && momentText(first),
    last: last && momentText(last),
    seconds: secondsOf([capture]),
    pauses: pausesOf(capture).pauses.map(({ from, until }) => ({ from: momentText(from), until: momentText(until) })),
    vantages: vantages.map(v => v.name ?? `interface ${v.index}`),
    clock: clock?.record ?? null,
  }
}

const momentText = ({ seconds, nanos }: Moment): string => timeText(seconds, nanos)

/** What each vantage point showed, as people call it. */
const places = ({ matching }: Trace, { tables, files }: RecordContext): Place[] =>
  tables.vantages.list.map(({ file, name, index }, i) => {
    const where = name ?? (index >= 0 ? `interface ${index}` : null)
    return {
      name: where === null ? files[file] : files.length > 1 ? `${where} of ${files[file]}` : where,
      queries: matching.arrivals.queriesAt[i] ?? 0,
      responses: matching.arrivals.responsesAt[i] ?? 0,
    }
  })

/** Steps back of a clock that were taken back cost nothing any more. */
const withoutTakenBack = (capture: Capture, clock: Clock | undefined): Capture => ({
  ...capture,
  clockStepsBack: Math.max(0, capture.clockStepsBack - (clock?.steps.filter(({ by }) => by < 0).length ?? 0)),
})

/** From the first frame of all to the last, on the run's clock. */
function secondsOf(captures: Capture[], clocks: Clock[] | null = null): number {
  const origin = captures.find(c => c.first !== null)?.first?.seconds ?? 0
  let from = Number.POSITIVE_INFINITY
  let to = Number.NEGATIVE_INFINITY
  for (const [i, { first, last }] of captures.entries()) {
    const ahead = clocks?.[i].record.corrected ? (clocks[i].record.offsetMs ?? 0) / 1e3 : 0
    if (first) from = Math.min(from, first.seconds - origin + first.nanos / 1e9 - ahead)
    const gained = sum(clocks?.[i].record.steps ?? [], ({ ms }) => ms) / 1e3
    if (last) to = Math.max(to, last.seconds - origin + last.nanos / 1e9 - ahead - gained)
  }
  return to > from ? Math.round((to - from) * 1e9) / 1e9 : 0
}

// -- Endpoints ------------------------------------------------------------------------------------------------------------------------

/** Every address by role, and what makes it so. */
export function endpointsOf(trace: Trace, context: RecordContext): EndpointRow[] {
  const rows: EndpointRow[] = []
  for (const { address, asked, forOthers, served } of trace.endpoints.list) {
    const server = trace.endpoints.serverRole(address)
    const client = trace.endpoints.clientRole(address)
    const row = (known: typeof server, asClient: number, asServer: number): EndpointRow => ({
      ...endpointOf(context, address, known.role),
      name:
        context.identities.get(context.tables.addresses.text(address))?.name ??
        (asServer > 0 ? (trace.endpoints.knownAs(address)?.name ?? null) : null),
      evidence: known.evidence,
      seenIn: placeOf(trace, context, address),
      asked: asClient,
      served: asServer,
    })
    // A node's address may be the host's as a client and something else as a server.
    if (served > 0 && asked > 0 && server.role !== client.role) rows.push(row(server, 0, served), row(client, asked, 0))
    else if (served > 0) rows.push(row(server, asked, served))
    else if (trace.endpoints.forwarderAt(address) !== address) rows.push(row(client, asked, 0))
    // What a forwarder on the host asks, whose answering address is not known, it does not ask for the host.
    else rows.push(row(trace.endpoints.forwarderRole(address), forOthers, 0), row(client, asked - forOthers, 0))
  }
  return rows
    .filter(row => row.asked + row.served > 0)
    .sort((a, b) => ROLES.indexOf(a.role) - ROLES.indexOf(b.role) || b.asked + b.served - a.asked - a.served)
}

function translationsOf(trace: Trace, { tables }: RecordContext): Report['translations'] {
  return trace.endpoints.list.flatMap(({ address, translatedTo }) =>
    [...translatedTo].map(([served, count]) => ({
      asked: tables.addresses.text(address),
      served: tables.addresses.text(served),
      count,
    })),
  )
}

function searchListsOf(trace: Trace, { tables }: RecordContext): Report['searchLists'] {
  return trace.searchLists.known
    .map(({ client, knowledge }) => ({ client: tables.addresses.text(client), ...knowledge }))
    .map(({ client, list, ndotsMin, ndotsMax, walks }) => ({
      client,
      searchList: list,
      ndots: { min: ndotsMin, max: ndotsMax },
      walks,
    }))
}

/** The capture that was taken where the address is at home. */
function placeOf(trace: Trace, { files }: RecordContext, address: AddressId): string | null {
  const file = trace.places.ofClient(address)
  return file === null ? null : (files[file] ?? null)
}

// -- Edges ----------------------------------------------------------------------------------------------------------------------------

/** Latency per hop, of the sums of all or of a few seconds. */
export function edgesOf(trace: Trace, context: RecordContext, sums: Sums): EdgeRow[] {
  const byEdge = new Map<string, EdgeSum[]>()
  for (const edge of sums.edges.values()) {
    const from = fromRole(trace, edge)
    const to = trace.endpoints.serverRole(edge.to).role
    const key = `${from} ${to}`
    const known = byEdge.get(key)
    if (known) known.push(edge)
    else byEdge.set(key, [edge])
  }
  const rows: EdgeRow[] = []
  const order = [...byEdge.values()].sort((a, b) => edgeRank(trace, a[0]) - edgeRank(trace, b[0]))
  for (const edges of order) {
    const from = fromRole(trace, edges[0])
    const to = trace.endpoints.serverRole(edges[0].to).role
    rows.push(edgeRow(context, from, to, null, edges))
    const perServer = [...byServerOf(context, edges)].map(([server, own]) => edgeRow(context, from, to, server, own))
    rows.push(...perServer.sort((a, b) => b.count - a.count))
  }
  return rows
}

/** By address as people read it: of one that exists on every node all together. */
function byServerOf({ tables }: RecordContext, edges: readonly EdgeSum[]): Map<AddressId, EdgeSum[]> {
  const byServer = new Map<AddressId, EdgeSum[]>()
  for (const edge of edges) {
    const server = tables.addresses.own(edge.to)
    const known = byServer.get(server)
    if (known) known.push(edge)
    else byServer.set(server, [edge])
  }
  return byServer
}

function serversOf(trace: Trace, context: RecordContext, sums: Sums): ServerRow[] {
  const byRole = new Map<Role, EdgeSum[]>()
  for (const edge of sums.edges.values()) {
    const { role } = trace.endpoints.serverRole(edge.to)
    const known = byRole.get(role)
    if (known) known.push(edge)
    else byRole.set(role, [edge])
  }
  const perServer = [...byRole].flatMap(([role, edges]) =>
    [...byServerOf(context, edges)].map(([address, own]) => ({ role, address, own })),
  )
  const rows = perServer.map(({ role, address, own }): ServerRow => {
    const { from: _from, to: _to, clients: _clients, askers: _askers, ...row } = edgeRow(context, role, role, null, own)
    return {
      ...row,
      server: context.tables.addresses.text(address),
      name: trace.endpoints.commonName(address),
      role,
      share: 0,
    }
  })
  const ofRole = new Map<Role, number>()
  for (const { role, count } of rows) ofRole.set(role, (ofRole.get(role) ?? 0) + count)
  for (const row of rows) {
    const all = ofRole.get(row.role) as number
    row.share = all === 0 ? 0 : Math.round((1e4 * row.count) / all) / 1e4
  }
  return rows.sort((a, b) => ROLES.indexOf(a.role) - ROLES.indexOf(b.role) || b.count - a.count)
}

const encryptedOf = ({ tables: { addresses, encrypted } }: RecordContext): EncryptedRow[] =>
  encrypted.list
    .map(({ client, server, over, connections }): EncryptedRow => {
      const text = addresses.text(server)
      const name = WELL_KNOWN.get(text)?.name ?? null
      return { client: addresses.text(client), server: text, over, name, connections }
    })
    .sort((a, b) => b.connections - a.connections)
    .slice(0, TOP)

const fromRole = (trace: Trace, edge: EdgeSum): Role => trace.endpoints.askerRole(edge.from, edge.forwarder).role

/** Along the path: pods first, then hosts, then what the forwarders ask. */
const edgeRank = (trace: Trace, edge: EdgeSum): number =>
  ROLES.indexOf(fromRole(trace, edge)) * ROLES.length + ROLES.indexOf(trace.endpoints.serverRole(edge.to).role)

function edgeRow(context: RecordContext, from: Role, to: Role, server: AddressId | null, edges: EdgeSum[]): EdgeRow {
  const wait = new Histogram()
  const own = new Histogram()
  const network = new Histogram()
  const rcodes = new Map<number, number>()
  const byAsker = new Map<AddressId, number>()
  for (const edge of edges) {
    wait.merge(edge.direct)
    own.merge(edge.direct)
    wait.merge(edge.wait)
    own.merge(edge.own)
    network.merge(edge.network)
    for (let i = 0; i < edge.rcodes.length; i += 2) {
      const [rcode, n] = edge.rcodes.slice(i, i + 2)
      rcodes.set(rcode, (rcodes.get(rcode) ?? 0) + n)
    }
    const asker = context.endpoints.hostOf(edge.from)
    byAsker.set(asker, (byAsker.get(asker) ?? 0) + edge.count)
  }
  const isForwarder = to === 'node-local-cache' || to === 'coredns' || to === 'host-resolver'
  const known = sum(edges, edge => edge.cacheKnown)
  const hits = sum(edges, edge => edge.cacheHits)
  const negative = { answers: sum(edges, edge => edge.negativeKnown), hits: sum(edges, edge => edge.negativeHits) }
  const positive = { answers: known - negative.answers, hits: hits - negative.hits }
  return {
    from,
    to,
    server: server === null ? null : context.tables.addresses.text(server),
    name: server === null ? null : context.endpoints.commonName(server),
    clients: byAsker.size,
    askers: [...byAsker]
      .sort((a, b) => b[1] - a[1])
      .slice(0, MAX_ASKERS)
      .map(([asker]) => nameOf(context, asker, from)),
    count: sum(edges, edge => edge.count),
    unanswered: edges.every(edge => edge.untold === edge.count) ? null : sum(edges, edge => edge.unanswered),
    wait: quantiles(wait),
    own: quantiles(own),
    network: quantiles(network),
    rcodes: Object.fromEntries([...rcodes].sort((a, b) => b[1] - a[1]).map(([rcode, n]) => [rcodeName(rcode), n])),
    cacheHits: isForwarder && known > 0 ? hits : null,
    cache: isForwarder && known > 0 ? { positive, negative } : null,
    retransmissions: sum(edges, edge => edge.retransmissions),
    tcp: sum(edges, edge => edge.tcp),
  }
}

function nameOf(context: RecordContext, address: AddressId, role: Role): string {
  const { namespace, pod, address: text } = endpointOf(context, address, role)
  const name = context.identities.get(text)?.name ?? null
  return pod ? `${namespace}/${pod}` : name ? `${name} (${text})` : text
}

// -- Waste ----------------------------------------------------------------------------------------------------------------------------

export function wasteOf(trace: Trace, context: RecordContext, sums: Sums): Report['waste'] {
  const clients = [...sums.byClient].map(([address, keyed]) => {
    const { role } = trace.endpoints.clientRole(address)
    return { keyed, ...endpointOf(context, address, role) }
  })
  const grouped = (key: (client: (typeof clients)[number]) => string | null): [string, KeyedWaste][] => {
    const groups = new Map<string, KeyedWaste>()
    for (const client of clients) {
      const name = key(client)
      if (name === null) continue
      const group = groups.get(name) ?? newKeyedWaste()
      groups.set(name, group)
      joinKeyed(group, client.keyed)
    }
    return [...groups]
  }
  const namespaces = new Map(clients.map(client => [client.address, client.namespace]))
  return {
    ...wasteSum(sums.total),
    byClient: rowsOf(
      clients.map(({ address, keyed }) => [address, keyed] as const),
      address => namespaces.get(address) ?? null,
    ),
    byName: rowsOf([...sums.byName]),
    // How far it went, and what NXDOMAIN cost in time, is told of whole lookups alone.
    bySuffix: rowsOf([...sums.bySuffix], (_, keyed) => `answered ${keyed.answered} of ${keyed.lookups}`).map(row => ({
      ...row,
      nxdomainWaitMs: null,
      silentWaitMs: null,
      reachedCoredns: null,
      leftCluster: null,
    })),
    byResolver: rowsOf([...sums.byResolver].map(([name, keyed]) => [name || 'not recognised', keyed] as const)),
    byNamespace: rowsOf(grouped(client => client.namespace)),
    byWorkload: rowsOf(grouped(client => client.workload && `${client.namespace}/${client.workload}`)),
    ...mayLack(sums),
  }
}

function mayLack({ byClient, byName, bySuffix, byResolver, limit }: Sums): Pick<Report['waste'], 'mayLack'> {
  if (limit.forgotten === 0) return {}
  const tables = Object.entries({ byClient, byName, bySuffix, byResolver }).filter(([, table]) => table.forgotten > 0)
  return { mayLack: Object.fromEntries(tables.map(([list, { error }]) => [list, error])) }
}

function rowsOf(
  keyed: (readonly [string, KeyedWaste])[],
  note: (key: string, keyed: KeyedWaste) => string | null = () => null,
): WasteRow[] {
  return keyed
    .map(([key, row]) => ({ key, note: note(key, row), ...wasteSum(row) }))
    .sort((a, b) => b.wasted - a.wasted || b.queries - a.queries || (a.key < b.key ? -1 : 1))
    .slice(0, TOP)
}

function wasteSum(keyed: KeyedWaste): WasteSum {
  const { sums } = keyed
  const wasted = wastedOf(sums)
  const nxdomain = nxdomainOf(sums)
  const isTimed = keyed.timed > 0
  return {
    lookups: keyed.lookups,
    queries: sums.queries,
    needed: sums.queries - wasted,
    wasted,
    ...sums.kinds,
    nxdomain,
    nxdomainBytes: nxdomain === null || Number.isNaN(sums.nxdomainBytes) ? null : sums.nxdomainBytes,
    nxdomainWaitMs: nxdomain === null || !isTimed ? null : Math.round(sums.nxdomainWait / 1e3) / 1e3,
    silentWaitMs: !isTimed ? null : Math.round(sums.silentWait / 1e3) / 1e3,
    bytes: Number.isNaN(sums.bytes) ? null : sums.bytes,
    totalBytes: Number.isNaN(sums.totalBytes) ? null : sums.totalBytes,
    waitMs: !isTimed ? null : Math.round(sums.wait / 1e3) / 1e3,
    reachedCoredns: isKnown(keyed.corednsKnown, keyed) ? keyed.reachedCoredns : null,
    leftCluster: isKnown(keyed.clusterKnown, keyed) ? keyed.leftCluster : null,
  }
}

/** A sum over less than this share of what it is about would mislead. */
const ENOUGH_KNOWN = 0.9

const isKnown = (known: number, { wasteful }: KeyedWaste): boolean => known >= ENOUGH_KNOWN * wasteful
