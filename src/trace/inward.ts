/** How far in the waste of a lookup went: to CoreDNS, and out of the cluster. */
import type { Endpoints } from './endpoints.ts'
import { type Lookup, transactionsOf } from './lookup.ts'
import type { Serving } from './serving.ts'
import type { Inward } from './sums.ts'
import { isFirst, type Transaction, UNREACHED } from './transaction.ts'
import { isWasted } from './waste.ts'

/** Forwarders behind forwarders. */
const DEEPEST = 8

/** Its transactions are judged; null where a part of its path was not captured. */
export function inwardOf(lookup: Lookup, endpoints: Endpoints, serving: Serving): Inward {
  const inward: Inward = { reachedCoredns: 0, leftCluster: 0 }
  for (const t of transactionsOf(lookup)) add(inward, t, isWasted(t), 0, endpoints, serving)
  return inward
}

function add(
  inward: Inward,
  t: Transaction,
  wasted: boolean,
  depth: number,
  endpoints: Endpoints,
  serving: Serving,
): void {
  const { role } = endpoints.serverRole(t.server)
  if (role === 'coredns') {
    // What somebody refused on its way did not get there.
    if (wasted && inward.reachedCoredns !== null && t.state !== UNREACHED) inward.reachedCoredns++
    // What CoreDNS answers with authority goes no further.
    if (!serving.isVisible(t.server) && serving.of(t) !== 'authoritative') inward.leftCluster = null
  } else if (role === 'upstream') {
    if (wasted && inward.leftCluster !== null && t.state !== UNREACHED) inward.leftCluster++
  } else if (
    role === 'unknown' ||
    ((role === 'node-local-cache' || role === 'host-resolver') && !serving.isVisible(t.server))
  ) {
    inward.reachedCoredns = inward.leftCluster = null
  }
  if (depth < DEEPEST && t.effects)
    for (const effect of t.effects) if (isFirst(t, effect)) add(inward, effect, wasted, depth + 1, endpoints, serving)
}
