/**
 * Which failure a resolver tells its application when no candidate had an answer: not always what came of the last one. Some remember what
 * came of the others.
 */
import { NOERROR, NXDOMAIN } from '../codes.ts'
import type { Outcome } from '../model.ts'
import { latest } from './candidate.ts'
import type { Candidate, Lookup } from './lookup.ts'
import { outcomeOfRcode } from './rcode-outcome.ts'
import type { Resolver } from './resolvers.ts'
import { ANSWERED, isFinal, type Transaction, UNANSWERED, UNREACHED } from './transaction.ts'

/** Null where it is what came of the deciding candidate. */
export function failureTold(lookup: Lookup, { name }: Resolver): Outcome | null {
  switch (name) {
    case 'glibc':
      return toldByGlibc(lookup)
    case 'go':
      return toldByGo(lookup)
    case 'c-ares':
      return toldByCares(lookup)
    default:
      return null
  }
}

/**
 * After a search: "no data" of any candidate comes before "try again" of any, before what the last one said. Where one family is denied, so
 * is the name. https://sourceware.org/git/?p=glibc.git;a=blob;f=resolv/res_query.c
 */
function toldByGlibc({ candidates, outcomes, suffixes }: Lookup): Outcome | null {
  if (suffixes[0] === null) return null
  if (outcomes.some((outcome, i) => outcome === 'nodata' && !candidates[i].transactions.some(isDeniedName)))
    return 'nodata'
  return outcomes.includes('servfail') ? 'servfail' : null
}

/**
 * Of the name as it is, and there what the leg says that is settled last.
 * https://github.com/golang/go/blob/master/src/net/dnsclient_unix.go (goLookupIPCNAMEOrder)
 */
function toldByGo({ candidates, suffixes }: Lookup): Outcome | null {
  const asIs = suffixes.lastIndexOf(null)
  return asIs < 0 ? null : failureOf(settledLast(candidates[asIs]))
}

/**
 * It goes on as the leg says that is settled last: after an error that ends the walk, and at the end of the list "no data" of any candidate
 * comes first. https://github.com/c-ares/c-ares/blob/main/src/lib/ares_getaddrinfo.c (host_callback)
 */
function toldByCares({ candidates, outcomes }: Lookup): Outcome | null {
  const last = settledLast(candidates[candidates.length - 1])
  if (last.state !== ANSWERED || !isFinal(last)) return failureOf(last)
  return outcomes.includes('nodata') ? 'nodata' : null
}

/** Of each leg its last try counts; what is silent is settled by a timer. */
function settledLast({ transactions }: Candidate): Transaction {
  let last: Transaction | null = null
  let at = Number.NEGATIVE_INFINITY
  for (let i = transactions.length - 1; i >= 0; i--) {
    const t = transactions[i]
    if (latest(transactions, t.qtype) !== t) continue
    const end = Number.isNaN(t.end) || t.cameTooLate ? Number.POSITIVE_INFINITY : t.end
    if (end > at || last === null) {
      last = t
      at = end
    }
  }
  return last as Transaction
}

const isDeniedName = (t: Transaction): boolean => t.state === ANSWERED && t.rcode === NXDOMAIN

/** Null of what was answered, or may have been. */
function failureOf(t: Transaction): Outcome | null {
  if (t.state === UNREACHED) return 'refused'
  if (t.state === UNANSWERED || t.cameTooLate) return 'unanswered'
  if (t.state !== ANSWERED || t.addresses > 0) return null
  return t.rcode === NOERROR ? 'nodata' : outcomeOfRcode(t.rcode)
}
