/** The user's filters, as one question about a lookup or about a message. */
import { type FilterRecord, type Filters, type Messages, NONE, UserError } from '../model.ts'
import { count, plural } from '../quantities.ts'
import type { Hop } from '../trace/hop.ts'
import type { Lookup } from '../trace/lookup.ts'
import type { EndpointRecord, MessageRecord } from './record-types.ts'
import { endpointOf, type RecordContext } from './records.ts'

export const NO_FILTERS: Filters = { namespace: null, pod: null, name: null, since: null, until: null }

export const isFiltered = (filters: Filters): boolean => Object.values(filters).some(filter => filter !== null)

/** As they were given: "--pod cart --since 2026-11-21T02:51:09Z". */
const filterText = (filters: Filters): string =>
  (Object.keys(NO_FILTERS) as (keyof Filters)[])
    .flatMap(filter => (filters[filter] === null ? [] : [`--${filter} ${filters[filter]}`]))
    .join(' ')

/** "--pod cart: 9 of 81 lookups", or that none matches. */
export function filterSentence(filters: FilterRecord, lookups: number): string {
  const { lookupsInAll } = filters
  if (lookups === 0 && lookupsInAll > 0) return noMatch(filters)
  return `${filterText(filters)}: ${count(lookups)} of ${plural(lookupsInAll, 'lookup')}`
}

/** "no lookup matches --pod zzz (87 lookups without it)" */
export function noMatch(filters: FilterRecord): string {
  const given = Object.keys(NO_FILTERS).filter(filter => filters[filter as keyof Filters] !== null)
  const all = plural(filters.lookupsInAll, 'lookup')
  return `no lookup matches ${filterText(filters)} (${all} without ${given.length === 1 ? 'it' : 'them'})`
}

/** True for the lookups that the user wants. Throws a UserError where a time is none. */
export function lookupFilter(filters: Filters, context: RecordContext): (lookup: Lookup) => boolean {
  const isDuring = spanFilter(filters)
  const isNamed = nameFilter(filters.name)
  const isAskedBy = podFilter(filters.pod, context)
  if (!isFiltered(filters)) return () => true
  return lookup => {
    if (!isDuring(context.origin() + lookup.start / 1e9)) return false
    if (isNamed && !isNamed(lookup.base) && !lookup.alternatives.some(isNamed)) return false
    if (filters.namespace === null && isAskedBy === null) return true
    const client = endpointOf(context, lookup.client, context.endpoints.clientRole(lookup.client).role)
    if (filters.namespace !== null && client.namespace !== filters.namespace) return false
    return isAskedBy === null || isAskedBy(client)
  }
}

/** True for a hop of a wanted lookup (others are not told of), and for one of no lookup by what is known of it: its time and its name. */
export function hopFilter(filters: Filters, context: RecordContext): (hop: Hop) => boolean {
  const isDuring = spanFilter(filters)
  const isNamed = nameFilter(filters.name)
  const isSomebodys = filters.namespace !== null || filters.pod !== null
  return ({ lookup, transaction: { start, qname } }) => {
    if (lookup !== null) return true
    if (isSomebodys || !isDuring(context.origin() + start / 1e9)) return false
    return isNamed === null || (qname !== NONE && isNamed(context.tables.names.text(qname)))
  }
}

/** True for the messages that the user wants: by their time and the name that they ask for. Throws a UserError where a time is none. */
export function messageFilter(filters: Filters): (record: MessageRecord, m: Messages, i: number) => boolean {
  const isDuring = spanFilter(filters)
  const isNamed = nameFilter(filters.name)
  return ({ qname }, m, i) =>
    isDuring(m.seconds[i] + m.nanos[i] / 1e9) && (isNamed === null || (qname !== null && isNamed(qname)))
}

function spanFilter(filters: Filters): (seconds: number) => boolean {
  const since = instant(filters.since, '--since') ?? Number.NEGATIVE_INFINITY
  const until = instant(filters.until, '--until') ?? Number.POSITIVE_INFINITY
  return seconds => !(seconds < since || seconds > until)
}

/** A name as the report has it; "*.example.com" is every name below example.com. Null: any. */
function nameFilter(wanted: string | null): ((name: string) => boolean) | null {
  if (wanted === null) return null
  const name = wanted.toLowerCase().replace(/(?<=.)\.$/, '')
  if (!name.startsWith('*.')) return other => other.toLowerCase() === name
  const below = name.slice(1)
  return other => other.toLowerCase().endsWith(below)
}

/** By whatever the report calls a client, and by the beginning of a pod's name: "cart" and "cart-48b2ced7a" are cart-48b2ced7a-glpdq. */
function podFilter(wanted: string | null, { tables }: RecordContext): ((client: EndpointRecord) => boolean) | null {
  if (wanted === null) return null
  const id = tables.addresses.intern(wanted)
  const address = id === NONE ? wanted : tables.addresses.text(id)
  const [, space, name] = /^([^/]+)\/(.+)$/.exec(wanted) ?? [wanted, null, wanted]
  return client => {
    if (client.address === address) return true
    if (space !== null && client.namespace !== space) return false
    return client.workload === name || client.pod === name || client.pod?.startsWith(`${name}-`) === true
  }
}

/** Seconds since 1970; null where nothing was given. */
function instant(text: string | null, option: string): number | null {
  if (text === null) return null
  const milliseconds = Date.parse(text)
  if (Number.isNaN(milliseconds)) throw new UserError(`${option} ${text}: not a time such as 2026-11-21T03:20:47Z.`)
  return milliseconds / 1000
}
