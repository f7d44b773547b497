/** What a capture shows only in part, in words: forwarders whose clients were not captured. */
import { plural, share } from '../quantities.ts'
import type { Trace } from '../trace/trace.ts'
import type { Remark } from './flow-remarks.ts'
import type { RecordContext } from './records.ts'

const MOST_NAMED = 3

/** Who asks for clients that nobody captured: nothing that it asks is a lookup of its own. */
export function partialRemarks({ endpoints, sums }: Trace, { tables }: RecordContext): Remark[] {
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
      text: `${named.join(', ')}${more} ${ask} for clients that were not captured: ${their} ${plural(queries, 'query', 'queries')} (${share(queries, sums.transactions)}) are hops, and no lookup or waste below is made of them. A capture in front of ${them} tells who asked.`,
    },
  ]
}
