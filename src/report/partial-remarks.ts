/** What a capture shows only in part, in words: forwarders whose clients were not captured, and servers that get a portion of the queries. */
import { count, plural, share } from '../quantities.ts'
import type { Trace } from '../trace/trace.ts'
import type { Remark } from './flow-remarks.ts'
import type { RecordContext } from './records.ts'

const MOST_NAMED = 3
/** More than this share of the lookups in parts makes the capture poor. */
const MANY = 0.5

export const partialRemarks = (trace: Trace, context: RecordContext): Remark[] => [
  ...tornRemarks(trace, context),
  ...forwarderRemarks(trace, context),
]

/** Servers that get a portion only of what their clients ask. */
function tornRemarks({ portions, sums }: Trace, { tables }: RecordContext): Remark[] {
  const { torn } = portions
  if (torn.length === 0) return []
  const walks = torn.reduce((n, { walks }) => n + walks, 0)
  const holes = torn.reduce((n, { torn }) => n + torn, 0)
  const where = torn.map(({ server }) => tables.addresses.text(server)).join(', ')
  const clients = new Set(torn.flatMap(({ clients }) => clients))
  const all = torn.every(({ clients, of }) => clients.length === of)
  const named = [...clients].slice(0, MOST_NAMED).map(client => tables.addresses.text(client))
  const more = clients.size > MOST_NAMED ? ` and ${count(clients.size - MOST_NAMED)} more` : ''
  const who = all ? `the clients of ${where} send` : `some clients of ${where} send (${named.join(', ')}${more})`
  return [
    {
      grade: sums.partial > MANY * sums.lookups ? 'poor' : 'fair',
      text: `Only a portion of the queries was captured that ${who}: ${share(holes, walks)} of their walks there miss candidates, which went to another server of the same service (one of several CoreDNS pods). ${plural(sums.partial, 'lookup')} of ${count(sums.lookups)} are partial: they are answered, or their outcome is not known, waits and findings leave them out, and there were more queries and waste than is shown. Capture at the clients' nodes, or at all servers and read the captures together.`,
    },
  ]
}

/** Who asks for clients that nobody captured: nothing that it asks is a lookup of its own. */
function forwarderRemarks({ endpoints, sums }: Trace, { tables }: RecordContext): Remark[] {
  const forwarders = endpoints.list
    .filter(
      ({ address, forOthers, served }) => forOthers > 0 && served === 0 && endpoints.forwarderAt(address) === address,
    )
    .sort((a, b) => b.forOthers - a.forOthers)
  if (forwarders.length === 0) return []
  const queries = forwarders.reduce((n, { forOthers }) => n + forOthers, 0)
  const named = forwarders.slice(0, MOST_NAMED).map(({ address }) => {
    const isCache = endpoints.forwarderRole(address).role === 'node-local-cache'
    return `${tables.addresses.text(address)} (${isCache ? 'NodeLocal DNSCache' : 'a forwarder'})`
  })
  const more = forwarders.length > MOST_NAMED ? ` and ${forwarders.length - MOST_NAMED} more` : ''
  const [ask, their, them] = forwarders.length === 1 ? ['asks', 'its', 'it'] : ['ask', 'their', 'them']
  return [
    {
      grade: 'good',
      text: `${named.join(', ')}${more} ${ask} for clients that were not captured: ${their} ${plural(queries, 'query', 'queries')} (${share(queries, sums.transactions + sums.infrastructure)}) are hops, and no lookup or waste below is made of them. A capture in front of ${them} tells who asked.`,
    },
  ]
}
