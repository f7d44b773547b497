/** Answers that a server had at hand: it asked nobody for them, so all that they waited for is the server itself and the way there. */
import { NOERROR, NXDOMAIN } from '../codes.ts'
import { NONE, type ServedFrom } from '../model.ts'
import type { Transaction } from '../trace/transaction.ts'

/** What an alias leads to may have had to be asked for, and an error may be one of a server behind. */
export const isAtHand = (t: Transaction, servedFrom: ServedFrom | null): boolean =>
  (servedFrom === 'cache' || servedFrom === 'authoritative') &&
  t.effects === null &&
  t.cname === NONE &&
  (t.rcode === NOERROR || t.rcode === NXDOMAIN)
