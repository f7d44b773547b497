/** Internal objects become the records that people and programs read: ids become text, times RFC 3339, unknown null. */
import { typeName } from '../codes.ts'
import { type AddressId, type FrameRef, NONE, type Role, TCP, type Time } from '../model.ts'
import type { Endpoints } from '../trace/endpoints.ts'
import type { Hop } from '../trace/hop.ts'
import type { Identities } from '../trace/identity.ts'
import { type Lookup, transactionsOf } from '../trace/lookup.ts'
import { type Loss, lossesOf } from '../trace/losses.ts'
import { outcomeOf } from '../trace/outcome.ts'
import type { Places } from '../trace/places.ts'
import type { SearchLists } from '../trace/searchlist.ts'
import { spentOf } from '../trace/spent.ts'
import { namespaceOf } from '../trace/suffix.ts'
import type { Inward } from '../trace/sums.ts'
import { serverTimeOf, type Transaction, UNREACHED, waitOf } from '../trace/transaction.ts'
import { type LookupWasteSums, nxdomainOf } from '../trace/waste.ts'
import type { Tables } from '../wire/tables.ts'
import type { EndpointRecord, HopRecord, LookupRecord, LossRecord } from './record-types.ts'

export interface RecordContext {
  tables: Tables
  /** What to call each capture in a FrameRef. */
  files: string[]
  /** Whole seconds since 1970 at which the run's clock starts. */
  origin: () => number
  endpoints: Endpoints
  searchLists: SearchLists
  places: Places
  identities: Identities
}

/** RFC 3339, UTC, with nanoseconds. */
export function timeText(seconds: number, nanos: number): string {
  const date = new Date(seconds * 1000)
  const text = Number.isNaN(date.getTime()) ? String(seconds) : date.toISOString().slice(0, 19)
  return `${text}.${String(nanos).padStart(9, '0')}Z`
}

export const timeOf = (context: RecordContext, time: Time): string => {
  const seconds = Math.floor(time / 1e9)
  return timeText(context.origin() + seconds, Math.round(time - seconds * 1e9))
}

/** Milliseconds with the nanoseconds that the capture has, and no noise behind them. */
const rounded = (ms: number | null): number | null => (ms === null ? null : Math.round(ms * 1e6) / 1e6)

const msOf = (time: Time): number | null => (Number.isNaN(time) ? null : rounded(time / 1e6))

/** An endpoint with its role and what the user's files, or its search list, tell of it. */
export function endpointOf(context: RecordContext, address: AddressId, role: Role): EndpointRecord {
  const text = context.tables.addresses.text(address)
  const identity = context.identities.get(text)
  return {
    address: text,
    role,
    node: identity?.node ?? null,
    namespace: identity?.namespace ?? (role === 'pod' ? searchedNamespace(context, address) : null),
    pod: identity?.pod ?? null,
    workload: identity?.workload ?? null,
  }
}

/** A pod searches its own namespace first. */
function searchedNamespace({ searchLists }: RecordContext, address: AddressId): string | null {
  const first = searchLists.bestOf(address).list[0]
  return first === undefined ? null : (namespaceOf(first)?.namespace ?? null)
}

export function lookupRecord(
  context: RecordContext,
  lookup: Lookup,
  waste: LookupWasteSums,
  inward: Inward,
): LookupRecord {
  const { endpoints } = context
  const all = [...transactionsOf(lookup)]
  return {
    id: `L${lookup.number}`,
    client: endpointOf(context, lookup.client, endpoints.clientRole(lookup.client).role),
    name: lookup.base,
    nameCertain: lookup.certain,
    alternatives: lookup.alternatives,
    qtypes: [...new Set(all.filter(t => t.qtype !== NONE).map(t => typeName(t.qtype)))],
    start: timeOf(context, lookup.start),
    end: Number.isNaN(lookup.end) ? null : timeOf(context, lookup.end),
    waitMs: msOf(lookup.wait),
    waitInferred: lookup.waitInferred,
    partial: lookup.partial,
    outcome: lookup.outcome,
    answers: answersOf(lookup),
    resolver: lookup.resolver,
    searchList: lookup.searchList,
    ndots: lookup.ndots,
    candidates: lookup.candidates.map((candidate, i) => {
      const { transactions } = candidate
      const ends = transactions[0].withoutQuery ? [] : transactions.map(t => t.end).filter(end => !Number.isNaN(end))
      return {
        name: candidate.name,
        suffix: lookup.suffixes[i],
        outcome: lookup.outcomes[i],
        waitMs: ends.length === 0 ? null : msOf(Math.max(...ends) - transactions[0].start),
        hops: transactions.map(t => `T${t.number}`),
      }
    }),
    queries: waste.queries,
    waste: {
      ...waste.kinds,
      nxdomain: nxdomainOf(waste),
      bytes: Number.isNaN(waste.bytes) ? null : waste.bytes,
      waitMs: Number.isNaN(lookup.wait) ? null : rounded(waste.wait / 1e6),
      ...inward,
    },
    frames: all.map(t => framesOf(context, t)[0]),
  }
}

function answersOf(lookup: Lookup): string[] {
  if (lookup.outcome !== 'answered') return []
  return [
    ...new Set(lookup.candidates[lookup.deciding].transactions.flatMap(t => (t.cameTooLate ? [] : (t.answers ?? [])))),
  ]
}

export function hopRecord(context: RecordContext, hop: Hop): HopRecord {
  const { endpoints, tables } = context
  const t = hop.transaction
  const spent = spentOf(t, context.places)
  const translated = t.seen !== t.client || t.seenPort !== t.clientPort
  const fromRole = endpoints.askerRole(hop.from, hop.forwarder).role
  return {
    id: `T${t.number}`,
    lookup: hop.lookup ? `L${hop.lookup.number}` : null,
    causedBy: (t.causes ?? []).map(cause => `T${cause.number}`),
    from: {
      ...endpointOf(context, t.client, fromRole),
      port: t.clientPort,
      seen: translated ? { address: tables.addresses.text(t.seen), port: t.seenPort } : null,
    },
    to: {
      ...endpointOf(context, t.server, endpoints.serverRole(t.server).role),
      port: t.serverPort,
      asked: tables.addresses.text(t.asked),
    },
    transport: t.transport === TCP ? 'tcp' : 'udp',
    dnsId: t.dnsId < 0 ? null : t.dnsId,
    qname: t.qname === NONE ? null : tables.names.text(t.qname),
    qtype: t.qtype === NONE ? null : typeName(t.qtype),
    outcome: outcomeOf(t),
    rcode: t.rcode === NONE ? null : t.rcode,
    start: timeOf(context, t.start),
    waitMs: rounded(waitOf(t)),
    serverMs: rounded(serverTimeOf(t)),
    ownMs: rounded(hop.ownMs),
    networkMs: spent && msOf(spent.network),
    serverOwnMs: spent && msOf(spent.server),
    hopsMs: spent && msOf(spent.hops),
    unexplainedMs: spent && msOf(spent.unexplained),
    retransmissions: t.retransmissions,
    resentMs: (t.resent ?? []).map(time => rounded((time - t.start) / 1e6) as number),
    servedFrom: hop.servedFrom,
    refusedBy: t.state !== UNREACHED ? null : t.wasReset ? 'reset' : 'icmp',
    cameTooLate: t.cameTooLate,
    losses: lossesOf(t, context.places, endpoints).map(loss => lossRecord(context, loss)),
    sightings: t.sightings,
    frames: framesOf(context, t),
  }
}

export const lossRecord = ({ files, tables }: RecordContext, loss: Loss): LossRecord => ({
  try: loss.try,
  what: loss.what,
  seenIn: files[loss.seenIn],
  notSeenIn: loss.notSeenIn === null ? null : files[loss.notSeenIn],
  behind: loss.behind === null ? null : tables.addresses.text(loss.behind),
  inside: loss.inside === null ? null : tables.addresses.text(loss.inside),
  inFrontOf: loss.inFrontOf === null ? null : tables.addresses.text(loss.inFrontOf),
})

function framesOf({ files }: RecordContext, { frames }: Transaction): FrameRef[] {
  const refs: FrameRef[] = []
  for (let i = 0; i < frames.length; i += 2) refs.push({ file: files[frames[i]], number: frames[i + 1] })
  return refs
}
