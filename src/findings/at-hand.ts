/** Answers that a server had at hand: it asked nobody for them, so all that they waited for is the server itself and the way there. */
import { NOERROR, NXDOMAIN } from '../codes.ts'
import { NONE, type ServedFrom, type Time } from '../model.ts'
import type { Hop } from '../trace/hop.ts'
import type { Lookup } from '../trace/lookup.ts'
import { ANSWERED, type Transaction } from '../trace/transaction.ts'

/** What an alias leads to may have had to be asked for, and an error may be one of a server behind. */
export const isAtHand = (t: Transaction, servedFrom: ServedFrom | null): boolean =>
  (servedFrom === 'cache' || servedFrom === 'authoritative') &&
  t.effects === null &&
  t.cname === NONE &&
  (t.rcode === NOERROR || t.rcode === NXDOMAIN)

/** A lookup's first query for what the server had at hand was answered after `least` or later. Few are, so that is looked at first. */
export const isHeldUp = (hop: Hop, least: Time): hop is Hop & { lookup: Lookup } => {
  const { transaction: t, lookup, servedFrom } = hop
  return (
    t.end - t.start >= least &&
    isAtHand(t, servedFrom) &&
    lookup !== null &&
    t.state === ANSWERED &&
    t.retransmissions === 0
  )
}
