/** What people call the outcomes, roles and kinds of waste; the short codes stay in json and csv. */
import { rcodeName } from '../codes.ts'
import type { Outcome, Role, WasteKind } from '../model.ts'
import { plural } from '../quantities.ts'
import type { EndpointRecord } from './record-types.ts'

/** "Other" is a rare rcode (FORMERR, NOTIMP) or, of a lookup, also an answer that was only cut short: what people see of a hop names it. */
export const OUTCOME_WORDS: Record<Outcome, string> = {
  answered: 'answered',
  nodata: 'empty answer',
  nxdomain: 'no such name',
  servfail: 'server failure',
  refused: 'refused',
  unanswered: 'unanswered',
  'capture-ended': 'capture ended',
  truncated: 'cut short (TC)',
  unreachable: 'unreachable',
  other: 'unusable reply',
  'not-captured': 'not captured',
}

/** What came of a hop: a rare rcode by its name. */
export const hopOutcome = ({ outcome, rcode }: { outcome: Outcome; rcode: number | null }): string =>
  outcome === 'other' && rcode !== null ? rcodeName(rcode) : OUTCOME_WORDS[outcome]

/** Outcomes with which the application got no usable reply; worth a warning colour. "No such name" is a failure, and a reply. */
export const BROKEN_OUTCOMES: ReadonlySet<Outcome> = new Set([
  'servfail',
  'refused',
  'unanswered',
  'unreachable',
  'other',
])

export const ROLE_WORDS: Record<Role, string> = {
  pod: 'pod',
  host: 'host',
  'host-resolver': 'host resolver',
  'node-local-cache': 'node-local cache',
  coredns: 'CoreDNS',
  upstream: 'upstream',
  unknown: 'unknown',
}

const ROLE_PLURALS: Record<Role, [one: string, many: string]> = {
  pod: ['pod', 'pods'],
  host: ['host', 'hosts'],
  'host-resolver': ['host resolver', 'host resolvers'],
  'node-local-cache': ['node-local cache', 'node-local caches'],
  coredns: ['CoreDNS server', 'CoreDNS servers'],
  upstream: ['upstream server', 'upstream servers'],
  unknown: ['client of unknown role', 'clients of unknown role'],
}

/** A server as people call it: "Azure DNS 168.63.129.16", or the address alone. */
export const serverName = ({ name, server }: { name: string | null; server: string | null }): string =>
  name === null ? (server ?? '') : `${name} ${server}`

/** Who asks, as the subject of a sentence. */
export function asker(role: Role): string {
  return ROLE_PLURALS[role][0]
}

/** "2 pods", "1 client of unknown role". */
export function roleCount(role: Role, count: number): string {
  return plural(count, ...ROLE_PLURALS[role])
}

export const WASTE_WORDS: Record<WasteKind, string> = {
  search: 'tried other search domains',
  fanOut: 'asked several servers at once',
  retransmission: 'asked again',
  truncation: 'repeated over TCP',
  family: 'asked for an address family the name has not',
}

/** Somebody in one word: "namespace/pod", the node where a host is meant, else the address. */
export function who(endpoint: EndpointRecord): string {
  if (endpoint.pod !== null) return endpoint.namespace === null ? endpoint.pod : `${endpoint.namespace}/${endpoint.pod}`
  if (endpoint.role === 'host' && endpoint.node !== null) return endpoint.node
  return endpoint.address
}

/** A name for a table: the root has no label, and stands as a dot. */
export const nameText = (name: string | null): string => (name === '' ? '.' : (name ?? ''))

/** A word of a command line as a shell takes it. */
export const quoted = (word: string) => (/^[\w./@%+=:,~-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)
