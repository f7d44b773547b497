/** Conversations on port 53 that only flows without names tell of become rows of the report. */
import type { Conversations } from '../input/hubble-conversations.ts'
import { type AddressId, TCP } from '../model.ts'
import type { RecordContext } from './records.ts'
import type { FlowRow, FlowSums } from './report-types.ts'

/** Rows of the report: the rest is in no table that anybody reads. */
const TOP = 50

/** Null where no flow log told of any. */
export function flowSums(conversations: Conversations, context: RecordContext): FlowSums | null {
  const pairs = conversations.finish()
  if (pairs.length === 0) return null
  const repliesShown = conversations.replies > 0
  return {
    events: conversations.events,
    pairs: pairs.slice(0, TOP).map(pair => ({
      client: context.tables.addresses.text(pair.client),
      clientName: nameOf(context, pair.client),
      server: context.tables.addresses.text(pair.server),
      serverName: nameOf(context, pair.server),
      transport: pair.transport === TCP ? 'tcp' : 'udp',
      events: pair.events,
      conversations: pair.asked,
      unanswered: repliesShown ? pair.unanswered : null,
      reset: pair.transport === TCP && repliesShown ? pair.reset : null,
      tcpFlags: pair.transport === TCP ? pair.flags : null,
      drops: [...pair.dropped].map(([reason, { drops, verdicts, nodes }]): FlowRow['drops'][number] => ({
        reason,
        // A denied packet is told twice, as a verdict and as a drop; filters may leave one of them.
        packets: Math.max(drops, verdicts),
        nodes: [...nodes].sort(),
      })),
    })),
  }
}

/** "namespace/pod", the service, the node; null where nobody told. */
function nameOf({ tables, identities }: RecordContext, address: AddressId): string | null {
  const identity = identities.get(tables.addresses.text(address))
  if (!identity?.name) return null
  return identity.namespace === null ? identity.name : `${identity.namespace}/${identity.name}`
}
